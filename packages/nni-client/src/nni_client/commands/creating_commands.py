"""nnictl create."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nni_client.commands.groups import Port, app


@app.command()
def create(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The experiment's configuration, a YAML file.")
    ],
    port: Port = 8080,
    foreground: Annotated[bool, typer.Option("--foreground", "-f", help="Wait for the end.")] = False,
    debug: Annotated[bool, typer.Option("--debug", "-d", help="Log more.")] = False,
    bind: Annotated[str | None, typer.Option(help="The address to listen on, 127.0.0.1 if left out.")] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="A name under which browsers may reach the page.")
    ] = None,
    allow_plaintext: Annotated[
        bool, typer.Option("--allow-plaintext", help="Let other machines connect without encryption.")
    ] = False,
) -> None:
    """Start an experiment."""
    from nni_client.commands.creating import Options, create_experiment

    options = Options(port, debug, bind, allowed_host, allow_plaintext)
    raise typer.Exit(create_experiment(config, options, foreground))
