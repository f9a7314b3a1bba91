"""Commands about tuners and assessors that users add."""

from __future__ import annotations

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
