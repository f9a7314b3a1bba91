"""Commands about configuration files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nni_client.commands.groups import AsJson, ExperimentId, ExperimentsDirectory, config


@config.command("check")
def check_config(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A configuration file.")],
    as_json: AsJson = False,
) -> None:
    """Check a configuration file and print everything that is wrong with it; nothing is started.

    The exit code is 1 when no experiment can be started with it.
    """
    from nni_client.commands.configurations import show_check

    if not show_check(file, as_json):
        raise typer.Exit(1)


@config.command("show")
def show_config(experiment_id: ExperimentId = None, directory: ExperimentsDirectory = None) -> None:
    """Show the configuration of an experiment that runs or has ended, as JSON; secrets are never shown."""
    from nni_client.commands import configurations

    configurations.show_config(experiment_id, directory)


@config.command("convert")
def convert_config(
    old: Annotated[Path, typer.Argument(metavar="OLD.yml", help="A file in NNI's V1 form.")],
    new: Annotated[
        Path | None, typer.Argument(metavar="NEW.yml", help="The file to write; without it, it is printed.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace NEW.yml if it exists.")] = False,
) -> None:
    """Write a configuration file of NNI's V1 form in the V2 form."""
    from nni_client.commands import converting

    converting.convert_config(old, new, force)


@config.command("schema")
def config_schema(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The file to write; without it, it is printed."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False,
) -> None:
    """Write the JSON Schema of configuration files, with which editors complete and check them."""
    from nni_client.commands.schema import write_schema

    write_schema(output, force)
