"""Commands about tuners and assessors that users add."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from nni_client.commands.groups import AsJson, algo

Name = Annotated[str, typer.Argument(metavar="NAME", help="The algorithm's name.")]


@algo.command("reg", hidden=True)
@algo.command("register")
def register_algorithm(
    meta_path: Annotated[
        Path,
        typer.Option(
            "--meta-path",
            "-m",
            metavar="FILE",
            help="A YAML file with algoType (tuner or assessor), builtinName, className (module.Class) and, "
            "if wanted, alias, classArgs and classArgsValidator; or with a list of such, named algorithms.",
        ),
    ],
) -> None:
    """Register tuners and assessors, to be chosen by name as built-in ones are. They must be installed.

    A registered algorithm of the same name is replaced.
    """
    from nni_client.commands.algorithms import register

    register(meta_path)


@algo.command("unreg", hidden=True)
@algo.command("unregister")
def unregister_algorithm(name: Name) -> None:
    """Forget a registered tuner or assessor. Upper and lower case matter in its name."""
    from nni_client.commands.algorithms import unregister

    unregister(name)


@algo.command("show")
def show_algorithm(name: Name) -> None:
    """Show what is known of a tuner or an assessor, as JSON."""
    from nni_client.commands.algorithms import show

    show(name)


@algo.command("list")
def list_algorithms(as_json: AsJson = False) -> None:
    """List every tuner and assessor: built in, registered, and brought by installed packages."""
    from nni_client.commands.algorithms import show_all

    show_all(as_json)


class _Kind(str, Enum):
    """What there are templates of."""

    TUNER = "tuner"
    ASSESSOR = "assessor"
    ADVISOR = "advisor"


@algo.command("template")
def write_template(
    kind: Annotated[_Kind, typer.Argument(help="What it is to be.")],
    path: Annotated[
        Path | None,
        typer.Option(
            "--path",
            metavar="FILE",
            help="The file to write, or its folder. Without it my_tuner.py or the like here.",
        ),
    ] = None,
) -> None:
    """Write a tuner, an assessor or an advisor that works, to be changed into one of your own."""
    from nni_client.commands.algorithm_template import write_template

    write_template(kind.value, path)
