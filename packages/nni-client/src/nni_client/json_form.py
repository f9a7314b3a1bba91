"""Exported trials as JSON: the list that NNI's `experiment export` writes and its `experiment import` reads.

Results are JSON in a text, as in NNI's lists. So a text that was reported can be told from a number, and the
file is JSON for every reader, whatever was reported.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from nni_client.exported_trials import ExportedTrial

_NAMES = frozenset(it.name for it in fields(ExportedTrial))


class ImportFileError(ValueError):
    """A file does not hold trials; the text names file, entry and what is allowed."""


def to_json(trials: Iterable[ExportedTrial]) -> str:
    """Returns trials as JSON, one a line.

    Args:
        trials: The trials.
    """
    lines = (json.dumps(_entry(trial), ensure_ascii=False) for trial in trials)
    return "[\n" + ",\n".join(lines) + "\n]\n"


def from_json(text: str) -> list[ExportedTrial]:
    """Returns the trials in a text that `to_json` made, that NNI has exported, or that was written by hand.

    Args:
        text: The text. A result may be JSON in a text, or any other value as it is.

    Raises:
        ImportFileError: It is not such a list.
    """
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        raise ImportFileError(f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise ImportFileError(f"not JSON: {error}") from error
    if not isinstance(entries, list):
        raise ImportFileError(
            'not a list of trials; allowed is [{"parameter": {...}, "value": ...}, ...], as export writes it'
        )
    return [_trial(number, entry) for number, entry in enumerate(entries, start=1)]


def _entry(trial: ExportedTrial) -> dict[str, Any]:
    entry = {name: getattr(trial, name) for name in (it.name for it in fields(ExportedTrial))}
    entry["value"] = _text(trial.value)
    if trial.intermediate is None:
        del entry["intermediate"]
    else:
        entry["intermediate"] = [_text(value) for value in trial.intermediate]
    return entry


def _trial(number: int, entry: Any) -> ExportedTrial:
    if not isinstance(entry, dict):
        raise ImportFileError(
            f'entry {number}: not an object; allowed is {{"parameter": {{...}}, "value": ...}}'
        )
    for name in ("parameter", "value"):
        if name not in entry:
            raise ImportFileError(
                f'entry {number}: "{name}" is missing; allowed is {{"parameter": {{...}}, "value": ...}}'
            )
    known = {name: value for name, value in entry.items() if name in _NAMES}
    known["value"] = _value(known["value"], f'entry {number}: "value"')
    if isinstance(known.get("intermediate"), list):
        known["intermediate"] = [
            _value(value, f'entry {number}: "intermediate"') for value in known["intermediate"]
        ]
    return ExportedTrial(**known)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _value(value: Any, where: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        shown = value if len(value) <= 60 else value[:57] + "..."
        raise ImportFileError(
            f"{where}: the text {shown!r} is not JSON; a result that is text is written as JSON too, "
            r'such as "\"good\""'
        ) from None
