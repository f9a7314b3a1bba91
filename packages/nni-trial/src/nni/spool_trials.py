"""What a spool knows of its trials, so that nothing is told twice and nothing is started twice."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple


@dataclass
class _Trial:
    """A trial that was ordered or told of.

    Attributes:
        launch: The order that starts it, None if that has not been seen.
        cancel: The order that stops it, None for none.
        position: The position in its report file up to which results were told.
        started: Whether its start was told.
        ended: Whether its end was told.
    """

    launch: Optional[bytes] = None
    cancel: Optional[bytes] = None
    position: int = 0
    started: bool = False
    ended: bool = False


class SpooledTrials:
    """The trials of a job, by what was ordered and what was told."""

    def __init__(self) -> None:
        self._trials: Dict[Tuple[str, int], _Trial] = {}

    @property
    def are_over(self) -> bool:
        """Whether there was a trial, and all have ended."""
        return bool(self._trials) and all(trial.ended for trial in self._trials.values())

    @property
    def are_running(self) -> bool:
        """Whether there is a trial that has not ended."""
        return any(not trial.ended for trial in self._trials.values())

    def order(self, line: bytes) -> Optional[bytes]:
        """Returns what the courier is to be told for a line of the manager, None for nothing."""
        name, content = _message(line)
        if name in ("launch", "adopt"):
            return self._launch(name, _key(content), line)
        if name == "cancel":
            trial = self._trials.get(_key(content))
            if trial is not None:
                trial.cancel = line
            return line
        return line if name in ("release", "shutDown") else None

    def told(self, line: bytes) -> bool:
        """Takes note of a line of the courier; returns whether it is new."""
        name, content = _message(line)
        if name not in ("started", "reported", "ended", "waits"):
            return name in ("ready", "problem", "sent")
        trial = self._trials.setdefault(_key(content), _Trial())
        if trial.ended:
            return False
        if name == "started":
            was_started, trial.started = trial.started, True
            return not was_started
        if name == "reported":
            end = int(content.get("endOffset", 0))
            is_new = end > trial.position
            trial.position = max(trial.position, end)
            return is_new
        trial.ended = name == "ended"
        return True

    def acknowledgement(self, line: bytes) -> Optional[bytes]:
        """Returns what tells the courier that a line is safe, None where it does not wait for that."""
        name, content = _message(line)
        if name != "reported":
            return None
        fields = {"trialId": content["trialId"], "attempt": content.get("attempt", 0)}
        return _line("acknowledge", {**fields, "offset": content.get("endOffset", "0")})

    def unfinished_orders(self) -> List[bytes]:
        """Returns what tells another courier of all trials that have not ended."""
        orders = []
        for key, trial in self._trials.items():
            if trial.ended:
                continue
            is_known = trial.started or trial.launch is None
            orders.append(_adopt(key, trial) if is_known else trial.launch or b"")
            if trial.cancel is not None:
                orders.append(trial.cancel)
        return orders

    def _launch(self, name: str, key: Tuple[str, int], line: bytes) -> Optional[bytes]:
        trial = self._trials.get(key)
        if trial is None:
            self._trials[key] = _Trial(launch=line if name == "launch" else None)
            return line
        if trial.launch is not None or trial.ended:
            return None
        trial.launch = line
        # What an earlier spool has told the start of is never started again.
        return _adopt(key, trial) if trial.started else line


def _adopt(key: Tuple[str, int], trial: _Trial) -> bytes:
    content = {"trialId": key[0], "attempt": key[1], "acknowledgedOffset": str(trial.position)}
    return _line("adopt", content)


def _message(line: bytes) -> Tuple[str, Dict[str, Any]]:
    """Returns the name and the content of a line; ("", {}) for one that was cut short."""
    try:
        ((name, content),) = json.loads(line).items()
        if name in ("launch", "adopt", "cancel", "started", "reported", "ended", "waits"):
            _key(content)
        return name, content
    except (ValueError, AttributeError, TypeError, KeyError):
        return "", {}


def _key(content: Dict[str, Any]) -> Tuple[str, int]:
    return str(content["trialId"]), int(content.get("attempt", 0))


def _line(name: str, content: Dict[str, Any]) -> bytes:
    return json.dumps({name: content}).encode("ascii")
