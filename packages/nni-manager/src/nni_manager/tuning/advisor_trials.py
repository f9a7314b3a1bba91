"""Which trials an advisor was asked for, and which it has sent."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nni_proto.v1.algorithm_pb2 import AlgorithmResponse

from nni_manager.tuning import responses

_LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True)
class SentTrial:
    """A trial that an advisor has sent.

    Attributes:
        own_id: The advisor's own id of its parameters.
        text: What it sent, JSON.
        proposal: Its parameters as they are handed in.
    """

    own_id: Any
    text: str
    proposal: AlgorithmResponse


def sent_trial(data: Any) -> SentTrial:
    """Returns the trial that an advisor sends as NewTrialJob.

    Raises:
        TypeError: Its parameters hold something that JSON cannot.
        ValueError: It is no JSON of an object with parameters, or they cannot be carried.
    """
    text = data if isinstance(data, str) else json.dumps(data)
    try:
        record = json.loads(text)
    except ValueError as error:
        raise ValueError(f"NewTrialJob needs JSON, not {_short(text)}: {error}") from error
    if not isinstance(record, dict) or "parameters" not in record:
        raise ValueError(
            f'NewTrialJob needs {{"parameter_id", "parameter_source", "parameters"}}, not {_short(text)}'
        )
    return SentTrial(record.get("parameter_id"), text, responses.propose(0, record["parameters"]))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."


@dataclass(frozen=True, slots=True)
class Asked:
    """What becomes of ids that are asked for; those in none of this stay open.

    Attributes:
        answers: Answers out of what was sent before.
        wanted: How many trials the advisor is to be asked for.
        refused: Ids for which it has said before that it has nothing.
    """

    answers: list[AlgorithmResponse]
    wanted: int
    refused: list[int]


class AdvisorTrials:
    """Matches the trials that an advisor sends to the ids that were asked for; all of it from any thread.

    An advisor counts: what it was asked for and has not sent it may send at any later time, also after it
    said that there are no more. So it is asked for as many trials as there are places, and for one more when
    one of its trials ends, as NNI does; the manager may ask again meanwhile, with other ids.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: deque[int] = deque()
        self._refused: deque[int] = deque()
        self._kept: deque[SentTrial] = deque()
        self._owed = 0
        self._owed_after_refusal = 0
        self._running: dict[int, SentTrial] = {}
        self._places = 0

    @property
    def open_count(self) -> int:
        """How many ids were asked for, and neither answered nor refused."""
        with self._lock:
            return len(self._open)

    def ask(self, parameter_ids: Iterable[int]) -> Asked:
        """Takes ids that are asked for."""
        with self._lock:
            known = {*self._open, *self._refused, *self._running}
            self._open.extend(id_ for id_ in parameter_ids if id_ not in known)
            answers = []
            while self._open and self._kept:
                answers.append(self._answer(self._open.popleft(), self._kept.popleft()))
            self._places = max(self._places, len(self._open) + len(self._running))
            refused = []
            if not self._owed_after_refusal:
                wanted = max(0, len(self._open) - self._owed)
            elif not (wanted := max(0, self._places - len(self._running) - self._owed)):
                # It said that it has none, and sends these by itself when it has.
                to_come = self._owed - self._owed_after_refusal
                while len(self._open) > to_come:
                    refused.append(self._open.pop())
            self._refused += sorted(refused)
            self._owed += wanted
            return Asked(answers, wanted, sorted(refused))

    def send(self, trial: SentTrial) -> AlgorithmResponse | None:
        """Takes a trial that the advisor sends; returns the answer, None when it is kept for a later id.

        It gets the id that was asked for first, else the one that was refused first.
        """
        with self._lock:
            self._owed = max(0, self._owed - 1)
            self._owed_after_refusal = min(self._owed_after_refusal, self._owed)
            if self._open:
                return self._answer(self._open.popleft(), trial)
            if self._refused:
                return self._answer(self._refused.popleft(), trial)
            self._kept.append(trial)
            return None

    def refuse(self) -> list[int]:
        """Returns the ids that are open, which the advisor has nothing for at least for now."""
        with self._lock:
            refused = list(self._open)
            self._refused += refused
            self._open.clear()
            self._owed_after_refusal = self._owed
            return refused

    def end_history(self, unrecorded: Iterable[int]) -> None:
        """Ends a replay: what is still open is asked for again, or was withdrawn.

        Args:
            unrecorded: The ids under which trials were sent that nobody recorded. These are kept for others.
        """
        with self._lock:
            self._open.clear()
            self._kept.extend(self._running.pop(id_) for id_ in sorted(unrecorded))

    def of(self, parameter_id: int) -> SentTrial | None:
        """Returns the trial that was sent for an id, None if there is none or it has ended."""
        with self._lock:
            return self._running.get(parameter_id)

    def end(self, parameter_id: int) -> None:
        """Forgets a trial that has ended, which may be of an earlier life."""
        with self._lock:
            if self._running.pop(parameter_id, None) is None:
                self._places += 1

    def _answer(self, parameter_id: int, trial: SentTrial) -> AlgorithmResponse:
        self._running[parameter_id] = trial
        trial.proposal.propose.parameter_id = parameter_id
        return trial.proposal
