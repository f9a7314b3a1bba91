"""The sub-commands of nnictl."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="nnictl",
    help="Start, watch and stop experiments.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_experiment = typer.Typer(help="Experiments.", no_args_is_help=True, rich_markup_mode=None)
_config = typer.Typer(help="Configuration files.", no_args_is_help=True, rich_markup_mode=None)
_webui = typer.Typer(help="The page of an experiment.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(_experiment, name="experiment")
app.add_typer(_config, name="config")
app.add_typer(_webui, name="webui")

ExperimentId = Annotated[
    str | None, typer.Argument(metavar="ID", help="The experiment's id, or its first letters.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


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


@app.command()
def create(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The experiment's configuration, a YAML file.")
    ],
    port: Annotated[int, typer.Option("--port", "-p", help="The page's port; 0 picks a free one.")] = 8080,
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


@app.command("list")
@_experiment.command("list")
def list_experiments(as_json: AsJson = False) -> None:
    """List the experiments that run."""
    from nni_client.commands.showing import show_running

    show_running(as_json)


@app.command()
@_experiment.command()
def status(experiment_id: ExperimentId = None, as_json: AsJson = False) -> None:
    """Show how far an experiment is; without an id, the one that runs."""
    from nni_client.commands.showing import show_status

    show_status(experiment_id, as_json)


@app.command()
def stop(
    experiment_id: ExperimentId = None,
    port: Annotated[int | None, typer.Option("--port", "-p", help="Stop the one on this port.")] = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Stop all that run.")] = False,
) -> None:
    """Stop an experiment and wait until it has stopped; without an id, the one that runs."""
    from nni_client.commands.ending import stop_experiments

    raise typer.Exit(stop_experiments(experiment_id, port, everything))


@app.command()
def view(
    experiment_id: Annotated[str, typer.Argument(metavar="ID", help="The experiment's id.")],
    port: Annotated[int, typer.Option("--port", "-p", help="The page's port; 0 picks a free one.")] = 8080,
    experiments_directory: Annotated[
        Path | None,
        typer.Option("--experiments-dir", "-e", help="The folder that holds the experiment's folder."),
    ] = None,
) -> None:
    """Show the page of an experiment that has ended, until Ctrl-C."""
    from nni_client.commands.viewing import view_experiment

    view_experiment(experiment_id, port, experiments_directory)


@_webui.command("url")
def webui_url(experiment_id: ExperimentId = None) -> None:
    """Print the page's address, with a code that signs in once within ten minutes."""
    from nni_client.commands.showing import show_url

    show_url(experiment_id)


@_config.command("convert")
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


@_config.command("schema")
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
