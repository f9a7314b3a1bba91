"""Commands of NNI's nnictl that are gone; each says what to do instead."""

from __future__ import annotations

import typer

from nni_client.commands.groups import app

_ANY = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def _refuse(text: str) -> None:
    typer.echo(f"ERROR: {text}", err=True)
    raise typer.Exit(1)


@app.command("package", context_settings=_ANY, hidden=True)
def package() -> None:
    """Gone: tuners and assessors are registered with nnictl algo."""
    _refuse("nnictl package is gone. Tuners and assessors are registered with: nnictl algo register")


@app.command("ss_gen", context_settings=_ANY, hidden=True)
def ss_gen() -> None:
    """Gone: the search space is written by hand."""
    _refuse(
        "nnictl ss_gen is gone, since annotations in trial code are. Write the search space into the "
        "configuration (search_space) or into a file (search_space_file)."
    )


@app.command("jupyter-extension", context_settings=_ANY, hidden=True)
def jupyter_extension() -> None:
    """Gone: the page is opened in a browser, and notebooks use nni.experiment."""
    _refuse(
        "nnictl jupyter-extension is gone. In a notebook use Experiment of nni.experiment; "
        "nnictl webui url prints the address of its page."
    )
