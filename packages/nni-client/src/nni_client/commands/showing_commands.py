"""Commands that show experiments."""

from __future__ import annotations

from nni_client.commands.groups import AsJson, ExperimentId, app, experiment


@app.command("list")
@experiment.command("list")
def list_experiments(as_json: AsJson = False) -> None:
    """List the experiments that run."""
    from nni_client.commands.showing import show_running

    show_running(as_json)


@app.command()
@experiment.command()
def status(experiment_id: ExperimentId = None, as_json: AsJson = False) -> None:
    """Show how far an experiment is; without an id, the one that runs."""
    from nni_client.commands.showing import show_status

    show_status(experiment_id, as_json)
