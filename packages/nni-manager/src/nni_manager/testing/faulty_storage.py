"""A storage that fails or is slow when a test wants it to."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager

from nni_manager.engine.effects import Write
from nni_manager.engine.records import ExperimentRecord
from nni_manager.engine.statuses import MetricKind, TrialStatus
from nni_manager.storage.interface import (
    NumberSeries,
    ReportPosition,
    Storage,
    StorageError,
    StoredMetric,
    StoredTrial,
    StoredTunerNote,
)


class FaultyStorage:
    """Stands before a storage and raises StorageError at chosen commits, of which nothing is stored.

    Attributes:
        failing_commits: The commits that fail, counted from 1; may be changed at any time.
        commit_seconds: How long each commit takes beyond its own time, as on a slow disk.
        commits: How many commits were tried.
    """

    def __init__(
        self, storage: Storage, failing_commits: Collection[int] = (), commit_seconds: float = 0.0
    ) -> None:
        self._storage = storage
        self.failing_commits = failing_commits
        self.commit_seconds = commit_seconds
        self.commits = 0

    def commit(self, writes: Sequence[Write]) -> int:
        """Stores a batch unless it is to fail."""
        self.commits += 1
        if self.commit_seconds:
            time.sleep(self.commit_seconds)
        if self.commits in self.failing_commits:
            raise StorageError("experiment.sqlite: cannot store a batch: database or disk is full")
        return self._storage.commit(writes)

    def snapshot(self) -> AbstractContextManager[None]:
        """As the storage behind."""
        return self._storage.snapshot()

    def revision(self) -> int:
        """As the storage behind."""
        return self._storage.revision()

    def experiment(self) -> ExperimentRecord | None:
        """As the storage behind."""
        return self._storage.experiment()

    def experiment_revision(self) -> int:
        """As the storage behind."""
        return self._storage.experiment_revision()

    def trial(self, trial_id: str) -> StoredTrial | None:
        """As the storage behind."""
        return self._storage.trial(trial_id)

    def trial_of_request(self, request_id: str) -> StoredTrial | None:
        """As the storage behind."""
        return self._storage.trial_of_request(request_id)

    def trials(
        self, after_sequence_number: int = -1, limit: int = 1000, statuses: Collection[TrialStatus] = ()
    ) -> list[StoredTrial]:
        """As the storage behind."""
        return self._storage.trials(after_sequence_number, limit, statuses)

    def trials_of(self, trial_ids: Sequence[str]) -> list[StoredTrial]:
        """As the storage behind."""
        return self._storage.trials_of(trial_ids)

    def trials_changed_after(self, revision: int, limit: int = 1000) -> list[StoredTrial]:
        """As the storage behind."""
        return self._storage.trials_changed_after(revision, limit)

    def trial_counts(self) -> dict[TrialStatus, int]:
        """As the storage behind."""
        return self._storage.trial_counts()

    def best_trial(self, optimize_mode: str) -> StoredTrial | None:
        """As the storage behind."""
        return self._storage.best_trial(optimize_mode)

    def metrics(
        self,
        trial_id: str | None = None,
        after_row: int = 0,
        limit: int = 10_000,
        kind: MetricKind | None = None,
    ) -> list[StoredMetric]:
        """As the storage behind."""
        return self._storage.metrics(trial_id, after_row, limit, kind)

    def metrics_changed_after(self, revision: int, limit: int = 10_000) -> list[StoredMetric]:
        """As the storage behind."""
        return self._storage.metrics_changed_after(revision, limit)

    def intermediate_numbers(self, trial_ids: Collection[str], key: str) -> dict[str, NumberSeries]:
        """As the storage behind."""
        return self._storage.intermediate_numbers(trial_ids, key)

    def intermediate_numbers_at(self, index: int, key: str) -> dict[str, float]:
        """As the storage behind."""
        return self._storage.intermediate_numbers_at(index, key)

    def intermediate_keys(self, after_row: int = 0) -> tuple[set[str], int]:
        """As the storage behind."""
        return self._storage.intermediate_keys(after_row)

    def report_position(self, trial_id: str, attempt: int) -> ReportPosition:
        """As the storage behind."""
        return self._storage.report_position(trial_id, attempt)

    def tuner_notes(self, after_row: int = 0, limit: int = 10_000) -> list[StoredTunerNote]:
        """As the storage behind."""
        return self._storage.tuner_notes(after_row, limit)

    def committed_at(self) -> float | None:
        """As the storage behind."""
        return self._storage.committed_at()

    def close(self) -> None:
        """Closes the storage behind."""
        self._storage.close()
