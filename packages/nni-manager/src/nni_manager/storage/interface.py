"""What a storage promises.

Rules, held by tests/contract for every implementation:

1. One storage holds one experiment: its record, its trials, their results.
2. `commit` is atomic and durable: when it returns, every write of the batch survives the death of the
   process and of the machine; when it raises, none of them was made.
3. Writes of a batch take effect in order. Saving a trial or the experiment replaces what was saved before
   under the same id. Results are only ever added.
4. Each commit that writes something has a revision, one higher than the one before, from 1. What it wrote
   carries that revision; a trial that SaveMetrics names counts as changed.
5. Values are kept as given: NaN, infinities, the order of keys, integers apart from floats.
   What is returned is a copy; changing it changes nothing stored.
6. Reads may be made from any thread while another commits, and see whole commits only.
7. Only one thread commits at a time; callers see to it.
8. A batch is refused as a whole with BatchRefusedError if it gives two trials the same sequence number,
   changes a trial's, holds a value that JSON cannot, or holds results of a trial that is saved neither before
   nor in the batch. The numbers of reporters and the positions of report files never go back.
9. Notes of the tuner's history are only ever added. The intermediate results that a trial is shown with are
   those of its present attempt; `metrics` returns those of every attempt.
10. Reads that a thread makes within one `snapshot` all see the same commit as the last one. Commits may have
   to wait for its end.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from nni_manager.engine.effects import Write
from nni_manager.engine.records import ExperimentRecord, MetricRecord, TrialRecord, TunerNote
from nni_manager.engine.statuses import MetricKind, TrialStatus


class StorageError(Exception):
    """The record cannot be read or written; the text says which file and why."""


class NewerRecordError(StorageError):
    """The record was written by a newer version of this program, which can read it."""


class BatchRefusedError(StorageError):
    """A batch breaks rule 8; storing it again would fail again."""


@dataclass(frozen=True, slots=True)
class StoredTrial:
    """A trial with what the storage knows of it.

    Attributes:
        record: The trial.
        intermediate_count: How many intermediate results its present attempt has.
        latest_intermediate: The one with the highest index, None when there is none.
        revision: The revision of the last commit that changed it.
    """

    record: TrialRecord
    intermediate_count: int
    latest_intermediate: Any
    revision: int


@dataclass(frozen=True, slots=True)
class StoredMetric:
    """A result with its place in the record.

    Attributes:
        record: The result.
        row: Its place among all results, rising in the order stored, from 1.
        revision: The revision of the commit that stored it.
    """

    record: MetricRecord
    row: int
    revision: int


@dataclass(frozen=True, slots=True)
class NumberSeries:
    """One entry of many results; see `values.number_at`.

    Attributes:
        indexes: The indexes of the results, rising.
        numbers: The entry of each; NaN where it is missing or no number.
    """

    indexes: Sequence[int]
    numbers: Sequence[float]


@dataclass(frozen=True, slots=True)
class ReportPosition:
    """How far the results of one attempt of a trial are stored.

    Attributes:
        intermediate_count: How many intermediate results the attempt has.
        final_count: How many final results it has.
        reporter_numbers: The highest number stored of each reporter of this attempt.
        end_offset: The position in the attempt's report file up to which results are stored.
    """

    intermediate_count: int
    final_count: int
    reporter_numbers: dict[str, int]
    end_offset: int


@dataclass(frozen=True, slots=True)
class StoredTunerNote:
    """An entry of the tuner's history with its place in it.

    Attributes:
        note: The entry.
        row: Its place in the history, rising in the order stored, from 1.
        trial: The trial that the note names, None when it names none.
        revision: The revision of the commit that stored it.
    """

    note: TunerNote
    row: int
    trial: TrialRecord | None
    revision: int


class Storage(Protocol):
    """The record of one experiment. Every method may raise StorageError."""

    def commit(self, writes: Sequence[Write]) -> int:
        """Stores a batch and returns its revision; an empty batch returns the current one."""

    def snapshot(self) -> AbstractContextManager[None]:
        """Returns what is entered for reads that have to agree; see rule 10. One may be within another."""

    def revision(self) -> int:
        """Returns the revision of the last commit, 0 before the first."""

    def experiment(self) -> ExperimentRecord | None:
        """Returns the experiment, None before it was saved."""

    def experiment_revision(self) -> int:
        """Returns the revision at which the experiment itself was last saved, 0 before the first."""

    def trial(self, trial_id: str) -> StoredTrial | None:
        """Returns a trial, None when there is none of this id."""

    def trial_of_request(self, request_id: str) -> StoredTrial | None:
        """Returns the trial whose record has this create_request_id, None when there is none or it is ""."""

    def trials(
        self, after_sequence_number: int = -1, limit: int = 1000, statuses: Collection[TrialStatus] = ()
    ) -> list[StoredTrial]:
        """Returns trials by rising sequence number, of any status when `statuses` is empty."""

    def trials_of(self, trial_ids: Sequence[str]) -> list[StoredTrial]:
        """Returns trials by their ids, in the order of those; unknown ones are left out."""

    def trials_changed_after(self, revision: int, limit: int = 1000) -> list[StoredTrial]:
        """Returns trials changed after a revision, by rising (revision, sequence number).

        A commit is never cut in two: all trials of the last revision returned are returned, even
        beyond `limit`.
        """

    def trial_counts(self) -> dict[TrialStatus, int]:
        """Returns how many trials have each status, statuses without trials left out."""

    def best_trial(self, optimize_mode: str) -> StoredTrial | None:
        """Returns the succeeded trial with the best objective, the earliest of equals."""

    def metrics(
        self,
        trial_id: str | None = None,
        after_row: int = 0,
        limit: int = 10_000,
        kind: MetricKind | None = None,
    ) -> list[StoredMetric]:
        """Returns results by rising row, of one trial or of all."""

    def metrics_changed_after(self, revision: int, limit: int = 10_000) -> list[StoredMetric]:
        """Returns results stored after a revision by rising row; no revision is cut in two."""

    def intermediate_numbers(self, trial_ids: Collection[str], key: str) -> dict[str, NumberSeries]:
        """Returns one entry of all intermediate results of the present attempts of trials.

        Trials without such results are left out.
        """

    def intermediate_numbers_at(self, index: int, key: str) -> dict[str, float]:
        """Returns one entry of the intermediate result of an index of every trial's present attempt.

        NaN stands for an entry that is missing or no number; trials without such a result are left out.
        """

    def intermediate_keys(self, after_row: int = 0) -> tuple[set[str], int]:
        """Returns which entries of intermediate results after a row were numbers, nested ones left out.

        Returns:
            The entries, and the row up to which that is so: asked for again after it, none is missed.
        """

    def report_position(self, trial_id: str, attempt: int) -> ReportPosition:
        """Returns how far the results of an attempt are stored; zeros for an unknown trial."""

    def tuner_notes(self, after_row: int = 0, limit: int = 10_000) -> list[StoredTunerNote]:
        """Returns the history of the tuner by rising row, each with its trial as it is now."""

    def committed_at(self) -> float | None:
        """Returns when the last commit was made, seconds since the epoch; None before the first."""

    def close(self) -> None:
        """Closes the storage. What SQLite keeps beside its file is folded into it."""
