"""nnictl stop."""

from __future__ import annotations

from typing import Annotated

import typer

from nni_client.commands.groups import ExperimentId, app


@app.command()
def stop(
    experiment_id: ExperimentId = None,
    port: Annotated[int | None, typer.Option("--port", "-p", help="Stop the one on this port.")] = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Stop all that run.")] = False,
) -> None:
    """Stop an experiment and wait until it has stopped; without an id, the one that runs."""
    from nni_client.commands.ending import stop_experiments

    raise typer.Exit(stop_experiments(experiment_id, port, everything))
