"""The trial API: parameters in, results out.

Outside a trial the same calls work without a manager: there are no parameters, and results are only shown.
"""

from __future__ import annotations

import os

from nni._environment import in_trial, needs_number, system_file
from nni._exports import load
from nni._json_text import dumps, loads
from nni._reports import append
from nni._values import has_number, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "get_current_parameter",
    "get_experiment_id",
    "get_next_parameter",
    "get_next_parameters",
    "get_output_directory",
    "get_sequence_id",
    "get_trial_id",
    "report_final_result",
    "report_intermediate_result",
]

_record: dict[str, Any] | None = None
_intermediate_index = 0
_asked_by = 0
_final_reported_by = 0
_refused_by = 0
_seen_asking: set[str] = set()


def get_next_parameter() -> Any:
    """Returns the trial's parameters, a dict for all built-in tuners.

    Every call in every process of the trial returns the same parameters. Outside a trial the result is empty,
    so scripts write `params = {defaults}; params.update(nni.get_next_parameter())`; there the environment
    variable NNI_PARAMETERS may name a JSON file with parameters.

    With `reuse_mode` of the training service a process may run one trial after another: a call in a process
    that has asked before ends its trial and waits for the next one. The ids, the environment, the output
    folder, stdout, stderr and trial.log are those of the new trial then. So ask once for each trial; what was
    returned last can be read again by `get_current_parameter`.

    Returns:
        The parameters, or None if there is nothing more to do: this process has reported a final result, and
        with `reuse_mode` there are no more trials.

    Raises:
        RuntimeError: The parameters cannot be read.
    """
    global _record, _asked_by
    if not in_trial():
        _record = {"parameter_id": None, "parameters": load("nni._standalone").parameters()}
    elif _has_no_more():
        _record = None
        return None
    else:
        _record = _read_record()
        _asked_by = os.getpid()
    return _record["parameters"]


def _has_no_more() -> bool:
    """Returns whether this process has finished its trial and gets no other; it may get one here."""
    global _asked_by, _final_reported_by, _refused_by
    process = os.getpid()
    if process == _refused_by:
        return True
    if not os.environ.get("NNI_COURIER_SOCKET"):
        return process == _final_reported_by
    if process not in (_asked_by, _final_reported_by):
        return False
    if load("nni._next_trial").move_on():
        _asked_by = _final_reported_by = 0
        _seen_asking.clear()
        return False
    _refused_by = process
    return True


get_next_parameters = get_next_parameter


def get_current_parameter(tag: str | None = None) -> Any:
    """Returns what this process last got from `get_next_parameter`.

    Args:
        tag: The name of a parameter; without one all parameters are returned.

    Returns:
        The parameters or the one asked for; None before the first call of `get_next_parameter`.

    Raises:
        KeyError: There is no parameter of this name.
    """
    if _record is None:
        return None
    return _record["parameters"] if tag is None else _record["parameters"][tag]


def report_intermediate_result(metric: Any) -> None:
    """Reports how the trial is doing, as often as you like.

    It works from threads, forked and spawned processes, and right before the trial dies.

    Args:
        metric: A number, or a dict whose `default` is the number that tuner and assessor look at, or anything
            else that JSON can hold. NaN and infinities are kept. One-element arrays and tensors are numbers.

    Raises:
        AssertionError: No process of this trial has asked for its parameters, or this one was told that there
            are no more trials.
        TypeError: It holds something that JSON cannot.
        ValueError: The experiment's tuner or assessor needs a number and there is none; or the value is
            nested more than 30 levels deep, longer than 16 MiB, or holds an integer beyond 64 bits, text that
            is not valid Unicode, or two keys that are the same text.
        OSError: It could not be stored, for instance because the disk is full.
    """
    global _intermediate_index
    _report("i", "report_intermediate_result", metric)
    _intermediate_index += 1


def report_final_result(metric: Any) -> None:
    """Reports the result of the trial.

    The trial goes on until its process ends.

    Args:
        metric: As for `report_intermediate_result`.

    Raises what `report_intermediate_result` raises.
    """
    global _final_reported_by
    _report("f", "report_final_result", metric)
    _final_reported_by = os.getpid()


def get_experiment_id() -> str:
    """Returns the experiment's id, "STANDALONE" outside a trial."""
    return os.environ.get("NNI_EXP_ID", "STANDALONE")


def get_trial_id() -> str:
    """Returns the trial's id, "STANDALONE" outside a trial."""
    return os.environ.get("NNI_TRIAL_JOB_ID", "STANDALONE")


def get_sequence_id() -> int:
    """Returns the trial's number in its experiment, from 0; 0 outside a trial."""
    return int(os.environ.get("NNI_TRIAL_SEQ_ID", "0"))


def get_output_directory() -> str:
    """Returns the folder for the trial's files, which exists; outside a trial, the working directory.

    The experiment keeps what is in it, wherever the trial ran. What is in its folder `checkpoints` is removed
    again as the experiment's keep_best_checkpoints and keep_last_checkpoints say.
    """
    return os.environ.get("NNI_OUTPUT_DIR") or os.getcwd()


def overwrite_intermediate_seq(value: int) -> None:
    """Sets the index that is shown with the next intermediate result outside a trial.

    In a trial the index is given when the result is stored, so this changes nothing there.

    Args:
        value: The index.
    """
    global _intermediate_index
    assert isinstance(value, int)
    _intermediate_index = value


def _read_record() -> dict[str, Any]:
    path = system_file("parameters.json")
    try:
        record: dict[str, Any] = loads(_text_of(path))
    except (OSError, ValueError) as error:
        why = load("nni._open_files").why_hidden(error) if isinstance(error, OSError) else ""
        raise RuntimeError(
            f"the parameters of this trial cannot be read from {path}: {error}{why and '; ' + why}"
        ) from error
    _note_asking()
    return record


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (PermissionError, FileNotFoundError):
        inherited: str | None = load("nni._open_files").read(os.path.basename(path))
        if inherited is None:
            raise
        return inherited


def _note_asking() -> None:
    mark = system_file("asked")
    if mark not in _seen_asking:
        try:
            os.close(os.open(mark, os.O_WRONLY | os.O_CREAT, 0o600))
        except OSError:
            # A report has to be written to the same folder and says what is wrong with it.
            if not load("nni._reports").note_asking():
                return
        _seen_asking.add(mark)


def _somebody_asked() -> bool:
    mark = system_file("asked")
    if mark not in _seen_asking and (os.path.exists(mark) or load("nni._reports").is_asking_noted()):
        _seen_asking.add(mark)
    return mark in _seen_asking


def _report(kind: str, function: str, metric: Any) -> None:
    value = plain(metric)
    if not in_trial():
        load("nni._standalone").show(kind, value, _intermediate_index)
        return
    if _refused_by == os.getpid():
        raise AssertionError(f"{function}: nni.get_next_parameter() has returned None, there is no trial")
    if not _somebody_asked():
        raise AssertionError(f"nni.get_next_parameter() needs to be called before {function}")
    if needs_number(kind) and not has_number(value):
        keys = f"; its keys are {', '.join(map(repr, value)) or 'none'}" if isinstance(value, dict) else ""
        raise ValueError(
            f"nni.{function}: the experiment's tuner or assessor needs a number, or a dict with a number "
            f"under 'default'. This is a {type(value).__name__}{keys}"
        )
    append(kind, dumps(value))
