"""nnictl view."""

from __future__ import annotations

import time
from pathlib import Path

from nni_config import default_experiments_directory
from nni_config.local_state import find_manager_by_experiment
from nni_proto.resource_names import EXPERIMENT_ID_PATTERN, experiment_name
from nni_proto.v1.experiment_service_pb2 import CreateSignInCodeRequest

from nni_client import announcement
from nni_client.connection import Connection
from nni_client.launch import launch
from nni_client.manager_command import ManagerCommand
from nni_client.methods import CREATE_SIGN_IN_CODE
from nni_client.screen import say

_POLL_SECONDS = 0.2


def view_experiment(experiment_id: str, port: int, experiments_directory: Path | None) -> None:
    """Shows the page of an experiment that has ended, until Ctrl-C or the end of this process.

    Args:
        experiment_id: The experiment.
        port: The page's port; 0 picks a free one.
        experiments_directory: The folder that holds the experiment's folder; None for ~/nni-experiments.

    Raises:
        RuntimeError: The experiment runs, there is none of this id, or it cannot be shown.
    """
    directory = (experiments_directory or default_experiments_directory()).absolute()
    running = find_manager_by_experiment(experiment_id, [directory])
    if running is not None:
        raise RuntimeError(
            f"Experiment {experiment_id} is running, on port {running.port}; "
            f"see: nnictl webui url {experiment_id}"
        )
    if not EXPERIMENT_ID_PATTERN.fullmatch(experiment_id) or not (directory / experiment_id).is_dir():
        raise RuntimeError(f"There is no experiment {experiment_id} in {directory}")
    manager = launch(ManagerCommand(directory, experiment_id, port=port, view=True))
    try:
        request = CreateSignInCodeRequest(name=experiment_name(experiment_id))
        url = Connection(manager.address).call(CREATE_SIGN_IN_CODE, request).url
        say(announcement.started(experiment_id, url, manager.address))
        say("Press Ctrl-C to end the view.")
        # Not process.wait(): a Ctrl-C just before it blocks would be noticed at the manager's end only.
        while not manager.has_ended:
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        say("The view has ended.")
    finally:
        manager.end()
