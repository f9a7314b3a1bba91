"""Commands that make and stop trials."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nni_config.search_space_file import read_search_space
from nni_proto.resource_names import experiment_name, parse_trial_name
from nni_proto.v1.experiment_service_pb2 import CancelTrialRequest, CreateTrialRequest, GetTrialRequest
from nni_proto.v1.trial_pb2 import Trial
from nni_proto.v1.value_pb2 import Value
from nni_proto.values import to_message

from nni_client.commands.selection import connection_to, select
from nni_client.connection import Session
from nni_client.errors import CallError
from nni_client.methods import CANCEL_TRIAL, CREATE_TRIAL, GET_TRIAL
from nni_client.results import name_of_trial
from nni_client.words import trial_status

_ACTIVE = frozenset({Trial.STATUS_WAITING, Trial.STATUS_RUNNING, Trial.STATUS_UNKNOWN})


def kill_trials(experiment_id: str | None, trial_ids: Sequence[str]) -> int:
    """Stops trials.

    Returns:
        The exit code: 1 when one of several could not be stopped.

    Raises:
        RuntimeError: No such experiment runs.
    """
    record = select(experiment_id)
    name = experiment_name(record.experiment_id)
    failed = 0
    with connection_to(record).session() as session:
        for trial_id in trial_ids:
            try:
                _kill(session, name, trial_id)
            except (CallError, ValueError) as error:
                print(f"ERROR: Kill trial job {trial_id} failed: {error}", file=sys.stderr)
                failed = 1
    return failed


def rerun_trials(experiment_id: str | None, trial_ids: Sequence[str]) -> None:
    """Queues new trials with the parameters of others.

    Raises:
        NotFoundError: There is no such trial.
        RuntimeError: No such experiment runs, or it starts no more trials.
    """
    record = select(experiment_id)
    name = experiment_name(record.experiment_id)
    with connection_to(record).session() as session:
        requests = [GetTrialRequest(name=name_of_trial(name, trial_id)) for trial_id in trial_ids]
        for trial in [session.call(GET_TRIAL, request).trial for request in requests]:
            _create(session, name, trial.parameters)


def create_trials(experiment_id: str | None, texts: Sequence[str], file: Path | None) -> None:
    """Queues trials with given parameters.

    Args:
        experiment_id: The experiment; None for the only one that runs.
        texts: JSON objects of parameters.
        file: A JSON file with an object of parameters, or with a list of such objects.

    Raises:
        ValueError: Something is no JSON object.
        RuntimeError: No such experiment runs, or it starts no more trials.
    """
    parameters = [_object(text) for text in texts]
    if file is not None:
        parameters += _objects(file)
    record = select(experiment_id)
    with connection_to(record).session() as session:
        for each in parameters:
            _create(session, experiment_name(record.experiment_id), to_message(each))


def _kill(session: Session, name: str, trial_id: str) -> None:
    resource = name_of_trial(name, trial_id)
    before = session.call(GET_TRIAL, GetTrialRequest(name=resource)).trial
    trial = session.call(CANCEL_TRIAL, CancelTrialRequest(name=resource)).trial
    if before.status not in _ACTIVE:
        print(f"Trial {trial_id} has ended already: {trial_status(before.status)}")
    elif trial.status in _ACTIVE:
        print(f"Trial {trial_id} is told to end; it has its grace period for that")
    else:
        print(f"Trial {trial_id} has ended: {trial_status(trial.status)}")


def _create(session: Session, name: str, parameters: Value) -> None:
    request = CreateTrialRequest(parent=name, request_id=str(uuid.uuid4()), parameters=parameters)
    trial = session.call(CREATE_TRIAL, request).trial
    print(f"Trial {parse_trial_name(trial.name)[1]} is queued, number {trial.sequence_number}")


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ValueError(f"--parameters {text!r:.80} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f'--parameters {text!r:.80} is no object; allowed is {{"NAME": VALUE, ...}}')
    return value


def _objects(file: Path) -> list[dict[str, Any]]:
    # The same leniency as for search spaces: comments, trailing commas, YAML.
    try:
        content = read_search_space(file)
    except ValueError as error:
        reason = str(error).partition(f'"{file}": ')[2]
        raise ValueError(f"{file}: {reason}") from None
    values = content if isinstance(content, list) else [content]
    if not values or not all(isinstance(value, dict) for value in values):
        raise ValueError(f"{file}: allowed is an object of parameters, or a list of such objects")
    return values
