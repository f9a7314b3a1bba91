"""Stops an experiment and waits until its manager is gone."""

from __future__ import annotations

from functools import partial

from nni_proto.resource_names import parse_experiment_name
from nni_proto.v1.experiment_pb2 import Experiment
from nni_proto.v1.experiment_service_pb2 import StopExperimentRequest

from nni_client.attached import AttachedManager
from nni_client.errors import ManagerUnreachableError
from nni_client.experiment_log import LOGGER
from nni_client.methods import STOP_EXPERIMENT
from nni_client.settings import STOP_TIMEOUT
from nni_client.slow_call import told_while_it_takes_long

_GONE_SECONDS = 60.0


def stop_experiment(manager: AttachedManager, name: str) -> Experiment | None:
    """Stops an experiment and returns it as its record has it for good.

    Args:
        manager: Its manager.
        name: The experiment, experiments/{experiment}.

    Returns:
        None when the manager had gone before.

    Raises:
        CallError: The manager refuses, or takes too long.
    """
    experiment = None
    try:
        request = StopExperimentRequest(name=name)
        limit = max(STOP_TIMEOUT, manager.connection.timeout)
        with told_while_it_takes_long(partial(_how_it_is_stopped, name)):
            experiment = manager.connection.call(STOP_EXPERIMENT, request, limit).experiment
    except ManagerUnreachableError:
        # It had gone, or is going and its answer was lost: the record has what became of the experiment.
        if not manager.ends_within(_GONE_SECONDS):
            raise
    if not manager.ends_within(_GONE_SECONDS):
        address = manager.connection.address.authority
        LOGGER.warning("Experiment %s has stopped, but its manager at %s has not ended.", name, address)
        if manager.process is not None:
            manager.process.end()
    return experiment


def _how_it_is_stopped(name: str, seconds: float) -> str:
    what = f"Stopping experiment {parse_experiment_name(name)}: its trials have time to save what they have"
    return f"{what}, and machines that are away to come back, {seconds:.0f} s so far"
