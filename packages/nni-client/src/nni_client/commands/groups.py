"""nnictl and its groups of commands, to which the modules of commands add theirs."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from nni_client.commands.identifiers import all_ids, ended_ids, running_ids
from nni_client.commands.spelling import Command

Function = TypeVar("Function", bound=Callable[..., Any])


class Group(typer.Typer):
    """Commands whose long options may be shortened, as in NNI's nnictl."""

    def __init__(self, name: str, help: str) -> None:
        """Makes an empty group."""
        super().__init__(
            name=name,
            help=help,
            no_args_is_help=True,
            pretty_exceptions_enable=False,
            rich_markup_mode=None,
            context_settings={"help_option_names": ["-h", "--help"]},
        )

    def command(self, name: str | None = None, **options: Any) -> Callable[[Function], Function]:
        """Returns the decorator that adds a function as a command; see `typer.Typer.command`."""
        return super().command(name, **{"cls": Command, **options})


app = Group("nnictl", "Start, watch and stop experiments.")
experiment = Group("experiment", "Experiments.")
trial = Group("trial", "The trials of an experiment.")
update = Group("update", "Change an experiment that runs.")
config = Group("config", "Configuration files.")
webui = Group("webui", "The page of an experiment.")
log = Group("log", "What an experiment and its trials wrote.")
algo = Group("algo", "Tuners and assessors.")
trainingservice = Group("trainingservice", "Places where trials run.")
platform = Group("platform", "What trials left on other machines.")

GROUPS = (experiment, trial, update, config, webui, log, algo, trainingservice, platform)
"""The groups within nnictl."""

ExperimentId = Annotated[
    str | None,
    typer.Argument(
        metavar="ID",
        help="The experiment's id, or its first letters; without it the only one that runs.",
        autocompletion=running_ids,
    ),
]
ReadId = Annotated[
    str | None,
    typer.Argument(
        metavar="ID",
        help="The experiment's id, or its first letters; without it the only one that runs.",
        autocompletion=all_ids,
    ),
]
EndedId = Annotated[
    str,
    typer.Argument(metavar="ID", help="The experiment's id, or its first letters.", autocompletion=ended_ids),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Port = Annotated[int, typer.Option("--port", "-p", help="The page's port; 0 picks a free one.")]
ExperimentsDirectory = Annotated[
    Path | None,
    typer.Option(
        "--experiments-dir", "--experiment-dir", "-e", help="The folder that holds the experiment's folder."
    ),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(importlib.metadata.version("nni-client"))
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option("--version", "-v", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass
