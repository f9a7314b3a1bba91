"""nnictl wait and nnictl top."""

from __future__ import annotations

from typing import Annotated

import typer

from nni_client.commands.groups import ExperimentId, ExperimentsDirectory, ReadId, app, experiment


@app.command()
@experiment.command()
def wait(
    experiment_id: ReadId = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0, help="Wait no longer than so many seconds.")
    ] = None,
    experiments_directory: ExperimentsDirectory = None,
) -> None:
    """Wait until an experiment has ended.

    The exit code is 0 when it is done and a trial succeeded, 124 when the timeout was over, else 1.
    """
    from nni_client.commands.waiting import wait_for_end

    raise typer.Exit(wait_for_end(experiment_id, timeout, experiments_directory))


@app.command()
def top(
    experiment_id: ExperimentId = None,
    seconds: Annotated[
        float, typer.Option("--time", "-t", help="How many seconds lie between two looks.")
    ] = 3.0,
    looks: Annotated[
        int | None, typer.Option("--looks", "-n", min=1, help="End after so many looks.")
    ] = None,
) -> None:
    """Watch the experiments that run, until Ctrl-C."""
    from nni_client.commands.top import watch

    if not seconds > 0:
        raise typer.BadParameter("the time must be above 0")
    raise typer.Exit(watch(experiment_id, seconds, looks))
