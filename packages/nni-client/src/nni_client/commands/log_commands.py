"""Commands that print what an experiment and its trials wrote."""

from __future__ import annotations

from typing import Annotated

import typer

from nni_client.commands.groups import ExperimentsDirectory, ReadId, log
from nni_client.commands.identifiers import trial_ids

Head = Annotated[int | None, typer.Option("--head", "-H", min=0, help="Only the first lines, so many.")]
Tail = Annotated[int | None, typer.Option("--tail", "-T", min=0, help="Only the last lines, so many.")]
OnlyPath = Annotated[bool, typer.Option("--path", "-p", help="Print only where the file is.")]


_LOGS = {
    "stdout": ("nnictl_stdout.log", "Print what the manager of an experiment printed."),
    "stderr": ("nnictl_stderr.log", "Print what the manager of an experiment wrote to its error output."),
    "manager": ("nnimanager.log", "Print the manager's log."),
    "dispatcher": ("dispatcher.log", "Print the log of the tuner and the assessor."),
}
"""The logs in an experiment's folder: the command, the file and what the command does."""


def _add(command: str, name: str, sentence: str) -> None:
    def print_log_file(
        experiment_id: ReadId = None,
        head: Head = None,
        tail: Tail = None,
        only_path: OnlyPath = False,
        experiments_directory: ExperimentsDirectory = None,
    ) -> None:
        from nni_client.commands.logs import Lines, print_log, print_log_path

        if head is not None and tail is not None:
            raise typer.BadParameter("--head and --tail cannot be used together")
        if only_path:
            print_log_path(name, experiment_id, experiments_directory)
        else:
            print_log(name, experiment_id, Lines(head, tail), experiments_directory)

    print_log_file.__doc__ = sentence
    log.command(command)(print_log_file)


for _command, (_name, _sentence) in _LOGS.items():
    _add(_command, _name, _sentence)


@log.command("trial")
def log_trial(
    experiment_id: ReadId = None,
    trial_id: Annotated[
        str | None,
        typer.Option("--trial-id", "-T", metavar="TRIAL", help="A trial's id.", autocompletion=trial_ids),
    ] = None,
    stdout: Annotated[bool, typer.Option("--stdout", help="Print what the trial printed.")] = False,
    stderr: Annotated[bool, typer.Option("--stderr", help="Print the trial's error output.")] = False,
    head: Annotated[int | None, typer.Option("--head", min=0, help="Only the first lines.")] = None,
    tail: Annotated[int | None, typer.Option("--tail", min=0, help="Only the last lines.")] = None,
    experiments_directory: ExperimentsDirectory = None,
) -> None:
    """Print where trials write; with --stdout or --stderr what one of them wrote."""
    from nni_client.commands.logs import Lines, print_trial_folders, print_trial_output

    if head is not None and tail is not None:
        raise typer.BadParameter("--head and --tail cannot be used together")
    if not (stdout or stderr):
        print_trial_folders(experiment_id, trial_id, experiments_directory)
        return
    if trial_id is None:
        raise typer.BadParameter("--stdout and --stderr need --trial-id")
    names = [name for name, wanted in (("stdout", stdout), ("stderr", stderr)) if wanted]
    print_trial_output(experiment_id, trial_id, names, Lines(head, tail), experiments_directory)
