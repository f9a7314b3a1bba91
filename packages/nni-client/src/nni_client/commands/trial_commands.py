"""Commands about trials."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nni_client.commands.groups import AsJson, ExperimentId, ExperimentsDirectory, ReadId, trial
from nni_client.commands.identifiers import trial_ids

Best = Annotated[
    int | None, typer.Option("--head", min=1, help="Only the trials with the highest results, so many.")
]
Worst = Annotated[
    int | None, typer.Option("--tail", min=1, help="Only the trials with the lowest results, so many.")
]
Filter = Annotated[
    str | None,
    typer.Option(
        metavar="FILTER",
        help="Only trials that this holds for, such as 'status = FAILED and lr > 1e-3'; see filters.md.",
    ),
]
Sort = Annotated[
    str | None, typer.Option(metavar="COLUMNS", help="Sort by these columns, such as '-objective, number'.")
]
TrialIds = Annotated[
    list[str],
    typer.Option("--trial-id", "-T", metavar="TRIAL", help="A trial's id.", autocompletion=trial_ids),
]


@trial.command("ls")
def trial_ls(
    experiment_id: ReadId = None,
    head: Best = None,
    tail: Worst = None,
    filter: Filter = None,
    sort: Sort = None,
    as_json: AsJson = False,
    experiments_directory: ExperimentsDirectory = None,
) -> None:
    """List trials: a table on a terminal, NNI's JSON where a script reads it."""
    from nni_client.commands.output import is_terminal
    from nni_client.commands.trial_listing import Choice, list_trials

    if head is not None and tail is not None:
        raise typer.BadParameter("--head and --tail cannot be used together")
    if sort and (head is not None or tail is not None):
        raise typer.BadParameter("--sort cannot be used with --head or --tail, which sort by result")
    choice = Choice(head, tail, filter or "", sort or "")
    list_trials(experiment_id, experiments_directory, choice, as_json or not is_terminal())


@trial.command("kill")
def trial_kill(trial_id: TrialIds, experiment_id: ExperimentId = None) -> None:
    """Stop trials; one that has ended stays as it is."""
    from nni_client.commands.trials import kill_trials

    raise typer.Exit(kill_trials(experiment_id, trial_id))


@trial.command("rerun")
def trial_rerun(trial_id: TrialIds, experiment_id: ExperimentId = None) -> None:
    """Queue a new trial with the parameters of another one."""
    from nni_client.commands.trials import rerun_trials

    rerun_trials(experiment_id, trial_id)


@trial.command("create")
def trial_create(
    experiment_id: ExperimentId = None,
    parameters: Annotated[
        list[str] | None, typer.Option("--parameters", "-P", metavar="JSON", help="Parameters, as JSON.")
    ] = None,
    filename: Annotated[
        Path | None, typer.Option("--filename", "-f", help="A JSON file of parameters, or of a list of them.")
    ] = None,
) -> None:
    """Queue trials with parameters of your own."""
    from nni_client.commands.trials import create_trials

    if not parameters and filename is None:
        raise typer.BadParameter("give --parameters or --filename")
    create_trials(experiment_id, parameters or [], filename)
