"""nnictl view and the page's address."""

from __future__ import annotations

from typing import Annotated

import typer

from nni_client.commands.groups import EndedId, ExperimentId, ExperimentsDirectory, Port, app, webui


@app.command()
def view(
    experiment_id: EndedId,
    port: Port = 8080,
    experiments_directory: ExperimentsDirectory = None,
) -> None:
    """Show the page of an experiment that has ended, until Ctrl-C."""
    from nni_client.commands.viewing import view_experiment

    view_experiment(experiment_id, port, experiments_directory)


@webui.command("url")
def webui_url(
    experiment_id: ExperimentId = None,
    view_only: Annotated[
        bool, typer.Option("--view-only", help="Sign in for looking only: nothing can be changed there.")
    ] = False,
) -> None:
    """Print the page's address, with a code that signs in once within ten minutes."""
    from nni_client.commands.showing import show_url

    show_url(experiment_id, view_only)
