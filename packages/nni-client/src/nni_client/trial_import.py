"""Tells a tuner of results from elsewhere: from a file, from another experiment, from a list."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nni_proto.v1.experiment_service_pb2 import ImportTrialsRequest
from nni_proto.values import to_message

from nni_client.connection import Session
from nni_client.csv_form import from_csv
from nni_client.errors import CallError
from nni_client.exported_trials import ExportedTrial
from nni_client.json_form import ImportFileError, from_json
from nni_client.methods import IMPORT_TRIALS

CHUNK_BYTES = 8 * 1024 * 1024
"""How large a request may become; the limit of a message is 64 MiB."""

CHUNK_TRIALS = 1000
"""How many results one request may have."""

_ALLOWED = 'allowed is {"parameter": {...}, "value": ...}'


def checked_trials(trials: Iterable[Any]) -> list[dict[str, Any]]:
    """Returns results to import as {"parameter": ..., "value": ...}, values as they were reported.

    Args:
        trials: Dicts with these keys, what else they have being passed over, or objects with these
            attributes, such as `Experiment.export_data` returns.

    Raises:
        ValueError: An entry is not such a one; the text names it and what is allowed.
    """
    if isinstance(trials, (str, bytes, dict)):
        raise ValueError(f"the results to import are a {type(trials).__name__}; allowed is a list of trials")
    return [_checked(f"entry {number}", trial) for number, trial in enumerate(trials, start=1)]


def read_trials(path: Path) -> list[ExportedTrial]:
    """Returns the trials in a file, JSON or CSV, as its name says or else its content.

    Args:
        path: The file.

    Raises:
        ImportFileError: The file holds something else.
        OSError: It cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportFileError(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}") from error
    read = from_json if _is_json(path, text) else from_csv
    try:
        return read(text)
    except ImportFileError as error:
        raise ImportFileError(f"{path}: {error}") from error


def import_trials(session: Session, name: str, trials: Sequence[dict[str, Any]]) -> int:
    """Tells an experiment's tuner of results from elsewhere, and returns how many it was told.

    Args:
        session: The way to the experiment's manager.
        name: The experiment's resource name.
        trials: Results that `checked_trials` returned.

    Raises:
        CallError: The manager refuses, or cannot be reached. If some were imported before, the text says how
            many; each was imported once.
    """
    told = sent = 0
    for request in _requests(name, trials):
        try:
            told += session.call(IMPORT_TRIALS, request).imported_count
        except CallError as error:
            if sent:
                error.args = (f"{error} (the first {sent} of {len(trials)} results were imported before)",)
            raise
        sent += len(request.trials)
    return told


def _requests(name: str, trials: Sequence[dict[str, Any]]) -> Iterator[ImportTrialsRequest]:
    request, size = _request(name), 0
    for trial in trials:
        entry = ImportTrialsRequest.ImportedTrial(
            parameters=to_message(trial["parameter"]), value=to_message(trial["value"])
        )
        if request.trials and (size + entry.ByteSize() > CHUNK_BYTES or len(request.trials) >= CHUNK_TRIALS):
            yield request
            request, size = _request(name), 0
        request.trials.append(entry)
        size += entry.ByteSize()
    if request.trials:
        yield request


def _request(name: str) -> ImportTrialsRequest:
    return ImportTrialsRequest(parent=name, request_id=str(uuid.uuid4()))


def _checked(where: str, trial: Any) -> dict[str, Any]:
    found = {}
    for name in ("parameter", "value"):
        if isinstance(trial, dict) and name in trial:
            found[name] = trial[name]
        elif not isinstance(trial, dict) and hasattr(trial, name):
            found[name] = getattr(trial, name)
        elif isinstance(trial, dict):
            raise ValueError(f'{where}: "{name}" is missing; {_ALLOWED}')
        else:
            raise ValueError(f"{where}: a value of type {type(trial).__name__}; {_ALLOWED}")
        try:
            to_message(found[name])
        except (TypeError, ValueError) as error:
            raise ValueError(f'{where}: "{name}": {error}') from error
    if not isinstance(found["parameter"], (dict, list)):
        raise ValueError(f'{where}: "parameter" is {found["parameter"]!r:.60}; {_ALLOWED}')
    return found


def _is_json(path: Path, text: str) -> bool:
    by_name = {".json": True, ".csv": False}.get(path.suffix.lower())
    return text.lstrip()[:1] in ("[", "{") if by_name is None else by_name
