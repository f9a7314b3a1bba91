"""A storage that lasts as long as the process: for tests and for trying things out."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from nni_manager.engine.effects import SaveExperiment, SaveMetrics, SaveTrial, SaveTunerNotes, Write
from nni_manager.engine.records import ExperimentRecord, MetricRecord, TrialRecord, TunerNote
from nni_manager.engine.statuses import MetricKind, TrialStatus
from nni_manager.storage.interface import (
    BatchRefusedError,
    NumberSeries,
    ReportPosition,
    StorageError,
    StoredMetric,
    StoredTrial,
    StoredTunerNote,
)
from nni_manager.storage.values import copied, number_at, numeric_entries


@dataclass(slots=True)
class _Results:
    """What is known of the results of one attempt of a trial."""

    counts: Counter[MetricKind] = field(default_factory=Counter)
    latest_index: int = -1
    latest_intermediate: Any = None
    reporter_numbers: dict[str, int] = field(default_factory=dict)
    end_offset: int = 0


class MemoryStorage:
    """Keeps the record of one experiment in memory."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._closed = False
        self._revision = 0
        self._experiment: ExperimentRecord | None = None
        self._experiment_revision = 0
        self._trials: dict[str, TrialRecord] = {}
        self._revisions: dict[str, int] = {}
        self._results: dict[tuple[str, int], _Results] = {}
        self._rows: dict[str, list[int]] = {}
        self._order: list[int] = []
        self._owners: dict[int, str] = {}
        self._metrics: list[StoredMetric] = []
        self._notes: list[tuple[TunerNote, int]] = []
        self._committed_at: float | None = None

    def commit(self, writes: Sequence[Write]) -> int:
        """Stores a batch; see the interface."""
        with self._lock:
            self._check_open()
            if not writes:
                return self._revision
            batch = [_copied_write(write) for write in writes]
            self._check_trials(batch)
            self._revision += 1
            self._committed_at = time.time()
            for write in batch:
                if isinstance(write, SaveExperiment):
                    self._experiment = write.record
                    self._experiment_revision = self._revision
                elif isinstance(write, SaveTrial):
                    self._save_trial(write.record)
                elif isinstance(write, SaveMetrics):
                    self._save_metrics(write)
                else:
                    self._notes.extend((note, self._revision) for note in write.notes)
            return self._revision

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Lets reads agree; see the interface."""
        with self._lock:
            self._check_open()
            yield

    def revision(self) -> int:
        """Returns the revision of the last commit; see the interface."""
        with self._lock:
            self._check_open()
            return self._revision

    def experiment(self) -> ExperimentRecord | None:
        """Returns the experiment; see the interface."""
        with self._lock:
            self._check_open()
            return None if self._experiment is None else _copied_experiment(self._experiment)

    def experiment_revision(self) -> int:
        """Returns when the experiment itself was last saved; see the interface."""
        with self._lock:
            self._check_open()
            return self._experiment_revision

    def trial(self, trial_id: str) -> StoredTrial | None:
        """Returns a trial; see the interface."""
        with self._lock:
            self._check_open()
            return self._stored(trial_id) if trial_id in self._trials else None

    def trial_of_request(self, request_id: str) -> StoredTrial | None:
        """Returns the trial that a request created; see the interface."""
        with self._lock:
            self._check_open()
            owned = (self._trials[self._owners[number]] for number in self._order)
            found = (record.trial_id for record in owned if record.create_request_id == request_id != "")
            trial_id = next(found, None)
            return None if trial_id is None else self._stored(trial_id)

    def trials(
        self, after_sequence_number: int = -1, limit: int = 1000, statuses: Collection[TrialStatus] = ()
    ) -> list[StoredTrial]:
        """Returns trials by rising sequence number; see the interface."""
        with self._lock:
            self._check_open()
            start = bisect_right(self._order, after_sequence_number)
            later = (self._owners[number] for number in islice(self._order, start, None))
            wanted = (
                trial_id for trial_id in later if not statuses or self._trials[trial_id].status in statuses
            )
            return [self._stored(trial_id) for trial_id in islice(wanted, limit)]

    def trials_of(self, trial_ids: Sequence[str]) -> list[StoredTrial]:
        """Returns trials by their ids; see the interface."""
        with self._lock:
            self._check_open()
            return [self._stored(trial_id) for trial_id in trial_ids if trial_id in self._trials]

    def trials_changed_after(self, revision: int, limit: int = 1000) -> list[StoredTrial]:
        """Returns trials changed after a revision; see the interface."""
        with self._lock:
            self._check_open()
            changed = sorted(
                (changed_at, self._trials[trial_id].sequence_number, trial_id)
                for trial_id, changed_at in self._revisions.items()
                if changed_at > revision
            )
            end = _page_end([changed_at for changed_at, _, _ in changed], limit)
            return [self._stored(trial_id) for _, _, trial_id in changed[:end]]

    def trial_counts(self) -> dict[TrialStatus, int]:
        """Returns how many trials have each status; see the interface."""
        with self._lock:
            self._check_open()
            return dict(Counter(record.status for record in self._trials.values()))

    def best_trial(self, optimize_mode: str) -> StoredTrial | None:
        """Returns the succeeded trial with the best objective; see the interface."""
        sign = -1 if optimize_mode == "maximize" else 1
        with self._lock:
            self._check_open()
            ranked = (
                (sign * record.objective, record.sequence_number, trial_id)
                for trial_id, record in self._trials.items()
                if record.status is TrialStatus.SUCCEEDED and record.objective is not None
            )
            best = min(ranked, default=None)
            return None if best is None else self._stored(best[2])

    def metrics(
        self,
        trial_id: str | None = None,
        after_row: int = 0,
        limit: int = 10_000,
        kind: MetricKind | None = None,
    ) -> list[StoredMetric]:
        """Returns results by rising row; see the interface."""
        with self._lock:
            self._check_open()
            rows: Sequence[int] = range(1, len(self._metrics) + 1)
            if trial_id is not None:
                rows = self._rows.get(trial_id, ())
            later = (self._metrics[row - 1] for row in islice(rows, bisect_right(rows, after_row), None))
            wanted = (metric for metric in later if kind is None or metric.record.kind is kind)
            return _copied_metrics(islice(wanted, limit))

    def metrics_changed_after(self, revision: int, limit: int = 10_000) -> list[StoredMetric]:
        """Returns results stored after a revision; see the interface."""
        with self._lock:
            self._check_open()
            start = bisect_right(self._metrics, revision, key=lambda metric: metric.revision)
            revisions = [metric.revision for metric in self._metrics[start:]]
            end = start + _page_end(revisions, limit)
            return _copied_metrics(self._metrics[start:end])

    def intermediate_numbers(self, trial_ids: Collection[str], key: str) -> dict[str, NumberSeries]:
        """Returns one entry of all intermediate results of trials; see the interface."""
        with self._lock:
            self._check_open()
            found = {trial_id: self._present_intermediates(trial_id) for trial_id in trial_ids}
            return {
                trial_id: NumberSeries(
                    [record.index for record in records], [number_at(record.value, key) for record in records]
                )
                for trial_id, records in found.items()
                if records
            }

    def intermediate_numbers_at(self, index: int, key: str) -> dict[str, float]:
        """Returns one entry of the intermediate result of an index; see the interface."""
        with self._lock:
            self._check_open()
            return {
                trial_id: number_at(record.value, key)
                for trial_id in self._trials
                for record in self._present_intermediates(trial_id)
                if record.index == index
            }

    def intermediate_keys(self, after_row: int = 0) -> tuple[set[str], int]:
        """Returns which entries of intermediate results were numbers; see the interface."""
        with self._lock:
            self._check_open()
            records = [metric.record for metric in self._metrics[after_row:]]
            values = [record.value for record in records if record.kind is MetricKind.INTERMEDIATE]
            keys = {key for value in values for key, _, _ in numeric_entries(value)}
            return keys, len(self._metrics)

    def report_position(self, trial_id: str, attempt: int) -> ReportPosition:
        """Returns how far the results of an attempt are stored; see the interface."""
        with self._lock:
            self._check_open()
            results = self._results.get((trial_id, attempt), _Results())
            return ReportPosition(
                intermediate_count=results.counts[MetricKind.INTERMEDIATE],
                final_count=results.counts[MetricKind.FINAL],
                reporter_numbers=dict(results.reporter_numbers),
                end_offset=results.end_offset,
            )

    def tuner_notes(self, after_row: int = 0, limit: int = 10_000) -> list[StoredTunerNote]:
        """Returns the history of the tuner; see the interface."""
        with self._lock:
            self._check_open()
            page = islice(enumerate(self._notes, 1), max(0, after_row), max(0, after_row) + limit)
            return [
                StoredTunerNote(_copied_note(note), row, self._copied_trial_of(note), revision)
                for row, (note, revision) in page
            ]

    def committed_at(self) -> float | None:
        """Returns when the last commit was made; see the interface."""
        with self._lock:
            self._check_open()
            return self._committed_at

    def close(self) -> None:
        """Closes the storage; what it held can no longer be read."""
        with self._lock:
            self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError("the storage in memory is closed")

    def _check_trials(self, batch: Sequence[Write]) -> None:
        saved = [write.record for write in batch if isinstance(write, SaveTrial)]
        numbers: dict[str, int] = {}
        owners: dict[int, str] = {}
        for record in saved:
            number, trial_id = record.sequence_number, record.trial_id
            before = self._trials.get(trial_id, record).sequence_number
            if numbers.setdefault(trial_id, before) != number:
                raise BatchRefusedError(f"trial {trial_id}: its sequence number cannot change to {number}")
            owner = owners.setdefault(number, self._owners.get(number, trial_id))
            if owner != trial_id:
                raise BatchRefusedError(f"trial {trial_id}: {owner} has sequence number {number}")
        for write in batch:
            if isinstance(write, SaveMetrics) and not (
                write.trial_id in self._trials or write.trial_id in numbers
            ):
                raise BatchRefusedError(f"trial {write.trial_id}: it has results but was never saved")

    def _save_trial(self, record: TrialRecord) -> None:
        if record.trial_id not in self._trials:
            insort(self._order, record.sequence_number)
            self._owners[record.sequence_number] = record.trial_id
        self._trials[record.trial_id] = record
        self._revisions[record.trial_id] = self._revision

    def _save_metrics(self, write: SaveMetrics) -> None:
        results = self._results.setdefault((write.trial_id, write.attempt), _Results())
        for metric in write.metrics:
            row = len(self._metrics) + 1
            self._metrics.append(StoredMetric(metric, row, self._revision))
            self._rows.setdefault(write.trial_id, []).append(row)
            results.counts[metric.kind] += 1
            if metric.kind is MetricKind.INTERMEDIATE and metric.index >= results.latest_index:
                results.latest_index, results.latest_intermediate = metric.index, metric.value
        self._revisions[write.trial_id] = self._revision
        numbers = results.reporter_numbers
        for reporter, number in write.reporter_numbers.items():
            numbers[reporter] = max(number, numbers.get(reporter, number))
        if write.end_offset is not None:
            results.end_offset = max(results.end_offset, write.end_offset)

    def _stored(self, trial_id: str) -> StoredTrial:
        record = self._trials[trial_id]
        results = self._results.get((trial_id, record.attempt), _Results())
        return StoredTrial(
            record=_copied_trial(record),
            intermediate_count=results.counts[MetricKind.INTERMEDIATE],
            latest_intermediate=copied(results.latest_intermediate),
            revision=self._revisions[trial_id],
        )

    def _present_intermediates(self, trial_id: str) -> list[MetricRecord]:
        """Returns the intermediate results of a trial's present attempt, by rising index."""
        if trial_id not in self._trials:
            return []
        attempt = self._trials[trial_id].attempt
        records = [self._metrics[row - 1].record for row in self._rows.get(trial_id, ())]
        present = [
            record
            for record in records
            if record.attempt == attempt and record.kind is MetricKind.INTERMEDIATE
        ]
        return sorted(present, key=lambda record: record.index)

    def _copied_trial_of(self, note: TunerNote) -> TrialRecord | None:
        record = self._trials.get(note.trial_id)
        return None if record is None else _copied_trial(record)


def _page_end(revisions: Sequence[int], limit: int) -> int:
    """Returns the end of a page of at least `limit` that cuts no revision in two."""
    if limit >= len(revisions):
        return len(revisions)
    return bisect_right(revisions, revisions[limit - 1])


def _copied_write(write: Write) -> Write:
    try:
        if isinstance(write, SaveExperiment):
            return SaveExperiment(_copied_experiment(write.record))
        if isinstance(write, SaveTrial):
            return SaveTrial(_copied_trial(write.record))
        if isinstance(write, SaveTunerNotes):
            return SaveTunerNotes(tuple(_copied_note(note) for note in write.notes))
        return replace(write, metrics=tuple(_copied_metric(metric) for metric in write.metrics))
    except (TypeError, ValueError, RecursionError) as error:
        raise BatchRefusedError(f"a value cannot be kept as JSON: {error}") from error


def _copied_experiment(record: ExperimentRecord) -> ExperimentRecord:
    origin = replace(record.origin, package_versions=copied(record.origin.package_versions))
    return replace(record, config=copied(record.config), origin=origin)


def _copied_trial(record: TrialRecord) -> TrialRecord:
    return replace(record, parameters=copied(record.parameters), final_result=copied(record.final_result))


def _copied_note(note: TunerNote) -> TunerNote:
    return replace(note, data=copied(note.data))


def _copied_metric(record: MetricRecord) -> MetricRecord:
    return replace(record, value=copied(record.value))


def _copied_metrics(metrics: Iterable[StoredMetric]) -> list[StoredMetric]:
    return [replace(metric, record=_copied_metric(metric.record)) for metric in metrics]
