"""Commands that change an experiment while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nni_client.commands.groups import ExperimentId, app, experiment, update, whole_number


@update.command("searchspace")
def update_search_space(
    filename: Annotated[Path, typer.Option("--filename", "-f", help="The new search space, a JSON file.")],
    experiment_id: ExperimentId = None,
) -> None:
    """Change the search space of the trials to come."""
    from nni_client.commands.updating import change_search_space

    change_search_space(experiment_id, filename)


@update.command("concurrency")
def update_concurrency(
    value: Annotated[
        int,
        typer.Option(
            "--value",
            "-v",
            parser=whole_number,
            metavar="NUMBER",
            help="How many trials may run at the same time.",
        ),
    ],
    experiment_id: ExperimentId = None,
) -> None:
    """Change how many trials may run at the same time."""
    from nni_client.commands.updating import change_concurrency

    change_concurrency(experiment_id, value)


@update.command("duration")
def update_duration(
    value: Annotated[
        str, typer.Option("--value", "-v", help="A duration such as 1.5h, 30m or a number of seconds.")
    ],
    experiment_id: ExperimentId = None,
) -> None:
    """Change after how long no new trial starts."""
    from nni_client.commands.updating import change_duration

    change_duration(experiment_id, value)


@update.command("trialnum")
def update_trial_number(
    value: Annotated[
        int,
        typer.Option(
            "--value",
            "-v",
            parser=whole_number,
            metavar="NUMBER",
            help="After how many trials no new one starts.",
        ),
    ],
    experiment_id: ExperimentId = None,
) -> None:
    """Change after how many trials no new one starts."""
    from nni_client.commands.updating import change_trial_number

    change_trial_number(experiment_id, value)


@app.command()
@experiment.command()
def pause(experiment_id: ExperimentId = None) -> None:
    """Start no new trials until unpaused; trials that run go on to their end."""
    from nni_client.commands.updating import pause

    pause(experiment_id)


@app.command()
@experiment.command()
def unpause(experiment_id: ExperimentId = None) -> None:
    """Let a paused experiment start trials again."""
    from nni_client.commands.updating import unpause

    unpause(experiment_id)
