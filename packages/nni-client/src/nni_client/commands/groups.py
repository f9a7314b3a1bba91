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
        """Returns the decorator that adds a function as a command; see `typer.Typer.command`.

        The help of the group shows the whole first sentence of its docstring; left to itself it would be cut.
        """

        def add(function: Function) -> Function:
            sentence, stop, _ = " ".join((function.__doc__ or "").split()).partition(". ")
            settings = {"cls": Command, "short_help": sentence + stop.strip(), **options}
            return super(Group, self).command(name, **settings)(function)

        return add


app = Group("nnictl", "Start, watch and stop experiments.")
experiment = Group("experiment", "Show, export, import, save, load and delete experiments.")
trial = Group("trial", "List, stop, rerun and add trials.")
update = Group("update", "Change an experiment that runs.")
config = Group("config", "Check, show and convert configurations.")
webui = Group("webui", "Print the address of an experiment's page.")
log = Group("log", "Print what an experiment and its trials wrote.")
algo = Group("algo", "Register and list tuners and assessors.")
trainingservice = Group("trainingservice", "Register and list places where trials run.")
platform = Group("platform", "Remove what trials left on other machines.")

GROUPS = (experiment, trial, update, config, webui, log, algo, trainingservice, platform)
"""The groups within nnictl."""


def whole_number(text: str) -> int:
    """Returns the number that an option is given.

    Raises:
        typer.BadParameter: It is no whole number; the text names it.
    """
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a whole number such as 3") from None


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
Port = Annotated[
    int,
    typer.Option(
        "--port", "-p", parser=whole_number, metavar="NUMBER", help="The page's port; 0 picks a free one."
    ),
]
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
