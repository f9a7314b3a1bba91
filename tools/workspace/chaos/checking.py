"""Compares what is recorded of a run with what its trials noted themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from nni_manager.engine.records import TrialRecord, TunerNote
from nni_manager.engine.statuses import TrialStatus, TunerNoteKind
from nni_manager.storage.interface import StoredMetric
from nni_manager.storage.sqlite import open_sqlite_storage

LOST = "values lost"
DUPLICATES = "duplicates"
OUT_OF_ORDER = "out of order"
INVENTED = "values that no trial reported"
RUN_TWICE = "trials run twice"
UNRECORDED = "attempts that are not recorded"
WRONG_STATE = "trials without one right final state"
WRONG_NUMBERS = "sequence numbers missing or doubled"
TOLD_WRONGLY = "trials that the tuner was told of wrongly"

ZEROS = (
    LOST,
    DUPLICATES,
    OUT_OF_ORDER,
    INVENTED,
    RUN_TWICE,
    UNRECORDED,
    WRONG_STATE,
    WRONG_NUMBERS,
    TOLD_WRONGLY,
)
"""What is counted and has to be 0."""


class Result(NamedTuple):
    """One result, as its trial names it: the process that reported it and that one's number for it."""

    by: int
    number: int


class AttemptKey(NamedTuple):
    """One attempt of a trial."""

    trial_id: str
    attempt: int


@dataclass
class Noted:
    """What an attempt noted itself.

    Attributes:
        runs: How often its script began.
        begun: The results that it began to report.
        reported: Those of which the call returned.
        done: Whether the script came to its end.
    """

    runs: int = 0
    begun: set[Result] = field(default_factory=set)
    reported: set[Result] = field(default_factory=set)
    done: bool = False


@dataclass(frozen=True)
class Recorded:
    """What the record has.

    Attributes:
        trials: The trials by rising number.
        metrics: The results in the order stored.
        notes: What the tuner was told and answered, in order.
        errors: The errors that the experiment ended with, in order.
    """

    trials: Sequence[TrialRecord]
    metrics: Sequence[StoredMetric]
    notes: Sequence[TunerNote]
    errors: Sequence[str] = ()


class Findings:
    """What is wrong.

    Attributes:
        counts: How often, by one of ZEROS.
        lines: A line for each.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.lines: list[str] = []

    def add(self, kind: str, what: str, number: int = 1) -> None:
        """Adds something that is wrong, unless the number is 0."""
        if number:
            self.counts[kind] += number
            self.lines.append(f"{kind}: {what}")


def read_notes(folder: Path) -> dict[AttemptKey, Noted]:
    """Returns what every attempt noted, from the files that trial.py wrote."""
    found = {}
    for path in sorted(folder.iterdir()):
        trial_id, _, attempt = path.name.rpartition("-")
        noted = found[AttemptKey(trial_id, int(attempt))] = Noted()
        for line in path.read_text().split("\n")[:-1]:
            word, by, number = line.split()
            result = Result(int(by), int(number))
            if word == "runs":
                noted.runs += 1
            elif word == "reporting":
                noted.begun.add(result)
            elif word == "reported":
                noted.reported.add(result)
            elif word == "done":
                noted.done = True
    return found


def read_record(database: Path) -> Recorded:
    """Returns what the record of an experiment has that nobody runs."""
    storage = open_sqlite_storage(database, read_only=True)
    try:
        experiment = storage.experiment()
        return Recorded(
            [stored.record for stored in storage.trials(limit=1_000_000)],
            storage.metrics(limit=1_000_000),
            [stored.note for stored in storage.tuner_notes(limit=1_000_000)],
            () if experiment is None else experiment.errors,
        )
    finally:
        storage.close()


def check(recorded: Recorded, noted: Mapping[AttemptKey, Noted], expected: int) -> Findings:
    """Returns what is wrong.

    Args:
        recorded: What the record has.
        noted: What the trials noted themselves.
        expected: How many trials there should be.
    """
    findings = Findings()
    _check_results(findings, recorded.metrics, noted)
    _check_trials(findings, recorded.trials, noted)
    _check_numbers(findings, [trial.sequence_number for trial in recorded.trials], expected)
    _check_tuner(findings, recorded)
    return findings


def _check_results(
    findings: Findings, metrics: Iterable[StoredMetric], noted: Mapping[AttemptKey, Noted]
) -> None:
    stored: dict[AttemptKey, list[Result]] = {key: [] for key in noted}
    counts: Counter[tuple[AttemptKey, str]] = Counter()
    for metric in metrics:
        record = metric.record
        key = AttemptKey(record.trial_id, record.attempt)
        result = Result(record.value["by"], record.value["number"])
        stored.setdefault(key, []).append(result)
        place = counts[key, record.kind.value]
        counts[key, record.kind.value] += 1
        findings.add(OUT_OF_ORDER, f"{key}: {result} has index {record.index}", record.index != place)
    for key, results in stored.items():
        own = noted.get(key, Noted())
        _check_attempt(findings, key, results, own)


def _check_attempt(findings: Findings, key: AttemptKey, results: Sequence[Result], own: Noted) -> None:
    known = set(results)
    lost, invented = sorted(own.reported - known), sorted(known - own.begun)
    findings.add(LOST, f"{key}: {lost}", len(lost))
    findings.add(INVENTED, f"{key}: {invented}", len(invented))
    findings.add(DUPLICATES, f"{key}: {results}", len(results) - len(known))
    for by in {result.by for result in results}:
        numbers = [result.number for result in results if result.by == by]
        falls = sum(later < earlier for earlier, later in pairwise(numbers))
        findings.add(OUT_OF_ORDER, f"{key}: {numbers} by {by}", falls)


def _check_trials(
    findings: Findings, trials: Sequence[TrialRecord], noted: Mapping[AttemptKey, Noted]
) -> None:
    attempts: set[AttemptKey] = set()
    for trial in trials:
        attempts.update(AttemptKey(trial.trial_id, attempt) for attempt in range(trial.attempt + 1))
        last = noted.get(AttemptKey(trial.trial_id, trial.attempt), Noted())
        right = trial.status.is_final and trial.end_reason is not None
        right = right and len(trial.earlier_ends) == trial.attempt
        if trial.status is TrialStatus.SUCCEEDED:
            right = right and last.done and trial.has_final_result
        what = f"{trial.trial_id}: {trial.status.value}, {trial.end_reason}, attempt {trial.attempt}, {last}"
        findings.add(WRONG_STATE, what, not right)
    for key, own in noted.items():
        findings.add(RUN_TWICE, f"{key}: {own.runs} times", own.runs > 1)
        findings.add(UNRECORDED, str(key), key not in attempts)


def _check_numbers(findings: Findings, numbers: Sequence[int], expected: int) -> None:
    missing = set(range(expected)) - set(numbers)
    findings.add(WRONG_NUMBERS, f"{sorted(missing)} are missing", len(missing))
    others = len(numbers) - (expected - len(missing))
    findings.add(WRONG_NUMBERS, f"{numbers} for {expected} trials", others)


def _check_tuner(findings: Findings, recorded: Recorded) -> None:
    told = Counter((note.kind, note.trial_id) for note in recorded.notes)
    for trial in recorded.trials:
        counts = tuple(
            told[kind, trial.trial_id]
            for kind in (TunerNoteKind.PROPOSED, TunerNoteKind.FINAL_RESULT, TunerNoteKind.TRIAL_END)
        )
        right = counts == (1, int(trial.has_final_result), 1)
        findings.add(TOLD_WRONGLY, f"{trial.trial_id}: (proposed, result, end) {counts}", not right)
