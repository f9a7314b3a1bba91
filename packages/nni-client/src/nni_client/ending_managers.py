"""Managers that have been told to stop and are not gone yet."""

from __future__ import annotations

import time
from enum import Enum

from nni_config.local_state import ManagerRecord
from nni_config.processes import is_same_process
from nni_proto.resource_names import experiment_name
from nni_proto.v1.experiment_pb2 import Experiment
from nni_proto.v1.experiment_service_pb2 import GetExperimentRequest

from nni_client.connection import Connection
from nni_client.discovery import from_record
from nni_client.errors import CallError, ManagerUnreachableError
from nni_client.methods import GET_EXPERIMENT

_ANSWER_SECONDS = 5.0
_WAIT_SECONDS = 10.0
_POLL_SECONDS = 0.2
_ENDING = frozenset({Experiment.STATUS_STOPPING, Experiment.STATUS_STOPPED})


class State(Enum):
    """What becomes of a manager.

    Attributes:
        GONE: It has ended.
        ENDING: It has been told to stop, or answers no more, and lives.
        RUNNING: It runs its experiment.
    """

    GONE = "gone"
    ENDING = "ending"
    RUNNING = "running"


def state_of(manager: ManagerRecord) -> State:
    """Returns what becomes of a manager; one that is ending is waited for, some seconds at most."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while is_same_process(manager.pid, manager.process_start_time):
        if not _is_ending(manager):
            return State.RUNNING
        if time.monotonic() > deadline:
            return State.ENDING
        time.sleep(_POLL_SECONDS)
    return State.GONE


def _is_ending(manager: ManagerRecord) -> bool:
    request = GetExperimentRequest(name=experiment_name(manager.experiment_id))
    connection = Connection(from_record(manager).address, _ANSWER_SECONDS)
    try:
        return connection.call(GET_EXPERIMENT, request).experiment.status in _ENDING
    except ManagerUnreachableError:
        return True
    except CallError:
        return False
