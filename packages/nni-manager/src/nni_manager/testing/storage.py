"""What every storage keeps, as tests. A test class that makes the `storage` fixture inherits from these."""

# ruff: noqa: D102 - the names of the tests say what they hold.
from __future__ import annotations

import math
import threading
from dataclasses import replace
from typing import Any

import pytest

from nni_manager.engine.effects import SaveExperiment, SaveMetrics, SaveTrial, Write
from nni_manager.engine.records import (
    EndReason,
    ExperimentOrigin,
    ExperimentRecord,
    MetricRecord,
    TrialRecord,
)
from nni_manager.engine.statuses import Actor, ExperimentStatus, MetricKind, ParameterSource, TrialStatus
from nni_manager.storage.interface import BatchRefusedError, ReportPosition, Storage, StorageError

EXPERIMENT = ExperimentRecord(
    experiment_id="abcd1234",
    status=ExperimentStatus.RUNNING,
    config={"trialConcurrency": 2, "searchSpace": {"z": 1, "a": [1.0, 2, "x", None, True]}},
    optimize_mode="maximize",
    created_at=1_700_000_000.123456,
)

VALUES: tuple[Any, ...] = (
    0.5,
    1,
    1.0,
    -0.0,
    True,
    None,
    "text \u00e9 \U0001f600 \x00 \ud800",
    math.nan,
    math.inf,
    -math.inf,
    2**63 - 1,
    -(2**63),
    10**400,
    1e-320,
    0.1 + 0.2,
    [],
    {},
    {"z": 1, "default": 0.5, "a": math.nan, "": -math.inf, "flag": False, "\ud800": 3},
    {"nested": {"b": [1, 1.0, None], "a": {}}, "text": "x"},
)
"""Values whose type, order and bits are easily lost."""


def trial(number: int, **changes: Any) -> TrialRecord:
    """Returns a waiting trial of a number."""
    record = TrialRecord(
        trial_id=f"t{number:04d}",
        sequence_number=number,
        status=TrialStatus.WAITING,
        attempt=0,
        parameter_id=number,
        parameter_source=ParameterSource.ALGORITHM,
        parameters={"x": number},
        created_at=1_700_000_000.5 + number,
    )
    return replace(record, **changes)


def metric(number: int, index: int, value: Any, **changes: Any) -> MetricRecord:
    """Returns an intermediate result of the trial of a number."""
    record = MetricRecord(f"t{number:04d}", 0, MetricKind.INTERMEDIATE, index, value, 1_700_000_001.25)
    return replace(record, **changes)


def results(number: int, *metrics: MetricRecord, offset: int | None = None, **numbers: int) -> SaveMetrics:
    """Returns the write of results of the trial of a number; `numbers` are those of its reporters."""
    attempt = metrics[0].attempt if metrics else 0
    return SaveMetrics(f"t{number:04d}", attempt, metrics, numbers, offset)


def as_told(value: Any) -> str:
    """Returns a text that is equal for values equal in type, order of keys and bits."""
    return repr(value)


class StorageContract:
    """Rules 1 to 8 of nni_manager.storage.interface. The class that inherits makes `storage`, empty."""

    def test_an_empty_storage_has_nothing(self, storage: Storage) -> None:
        assert storage.revision() == 0
        assert storage.experiment() is None
        assert storage.experiment_revision() == 0
        assert storage.trial("t0000") is None
        assert storage.trials() == []
        assert storage.trials_changed_after(0) == []
        assert storage.trial_counts() == {}
        assert storage.best_trial("maximize") is None
        assert storage.metrics() == []
        assert storage.metrics_changed_after(0) == []
        assert storage.report_position("t0000", 0) == ReportPosition(0, 0, {}, 0)

    def test_revisions_rise_by_one_with_each_commit_that_writes(self, storage: Storage) -> None:
        assert storage.commit([]) == 0
        assert storage.commit([SaveExperiment(EXPERIMENT)]) == 1
        assert storage.commit([SaveTrial(trial(0)), SaveTrial(trial(1))]) == 2
        assert storage.commit([]) == 2
        assert storage.commit([results(0, metric(0, 0, 1.0))]) == 3
        assert storage.revision() == 3
        assert storage.experiment_revision() == 1

    def test_an_experiment_comes_back_as_saved(self, storage: Storage) -> None:
        full = replace(
            EXPERIMENT,
            status=ExperimentStatus.ERROR,
            started_at=1.1,
            ended_at=2.2,
            running_seconds=0.1 + 0.2,
            running_since=3.3,
            end_reason=EndReason(Actor.TUNER, "it raised", 1, None, "line\n\ud800"),
            errors=("first\nline", "second"),
            next_sequence_number=7,
            next_parameter_id=2**40,
            create_request_id="request",
            origin=ExperimentOrigin("c0ffee", True, "hash", {"python": "3.11.2", "numpy": "2.0"}, 2**31),
            warnings=("the code \u00e9 changed",),
        )
        storage.commit([SaveExperiment(EXPERIMENT)])
        assert storage.experiment() == EXPERIMENT
        storage.commit([SaveExperiment(full)])
        assert as_told(storage.experiment()) == as_told(full)
        changed = replace(full, config={"a": 1.0})
        storage.commit([SaveExperiment(full), SaveExperiment(changed)])
        assert as_told(storage.experiment()) == as_told(changed)
        assert storage.experiment_revision() == 3
        warned = replace(changed, warnings=(*full.warnings, "once more"))
        storage.commit([SaveExperiment(warned)])
        assert as_told(storage.experiment()) == as_told(warned)

    def test_a_trial_comes_back_as_saved(self, storage: Storage) -> None:
        reason = EndReason(Actor.TRIAL, "exit code 1", 1, None, "Traceback\n\ud800")
        full = trial(
            3,
            status=TrialStatus.FAILED,
            attempt=2,
            parameter_id=None,
            parameter_source=ParameterSource.CUSTOMIZED,
            started_at=1.1,
            ended_at=2.2,
            end_reason=reason,
            waiting_reason="no free GPU \u00e9",
            host="gpu-\u00e9",
            gpus=("0", "GPU-1f"),
            has_final_result=True,
            final_result={"default": 0.5, "a": math.inf},
            objective=0.1 + 0.2,
        )
        storage.commit([SaveTrial(trial(3))])
        first = storage.trial("t0003")
        assert first is not None
        assert first.record == trial(3)
        assert (first.intermediate_count, first.latest_intermediate, first.revision) == (0, None, 1)
        storage.commit([SaveTrial(full)])
        second = storage.trial("t0003")
        assert second is not None
        assert as_told(second.record) == as_told(full)
        assert second.revision == 2

    @pytest.mark.parametrize("value", VALUES, ids=ascii)
    def test_values_are_kept_as_given(self, storage: Storage, value: Any) -> None:
        record = trial(0, parameters=value, final_result=value, has_final_result=True)
        storage.commit([SaveTrial(record), results(0, metric(0, 0, value))])
        stored = storage.trial("t0000")
        assert stored is not None
        assert as_told(stored.record) == as_told(record)
        assert as_told(stored.latest_intermediate) == as_told(value)
        (only,) = storage.metrics()
        assert as_told(only.record) == as_told(metric(0, 0, value))

    @pytest.mark.parametrize("objective", [math.inf, -math.inf, 0.1 + 0.2, 1e308, 5e-324, 3.0])
    def test_an_objective_keeps_every_bit(self, storage: Storage, objective: float) -> None:
        storage.commit([SaveTrial(trial(0, objective=objective))])
        stored = storage.trial("t0000")
        assert stored is not None
        assert as_told(stored.record.objective) == as_told(objective)

    def test_results_of_a_trial(self, storage: Storage) -> None:
        final = metric(0, 0, 9, kind=MetricKind.FINAL, late=True)
        storage.commit([SaveTrial(trial(0)), SaveTrial(trial(1))])
        storage.commit([results(1, metric(1, 0, "other"), metric(1, 1, "one"))])
        storage.commit([results(0, metric(0, 1, "b"), metric(0, 0, "a"), final)])
        assert [stored.row for stored in storage.metrics()] == [1, 2, 3, 4, 5]
        assert [stored.record for stored in storage.metrics("t0000")] == [
            metric(0, 1, "b"),
            metric(0, 0, "a"),
            final,
        ]
        assert [stored.revision for stored in storage.metrics()] == [2, 2, 3, 3, 3]
        assert [stored.row for stored in storage.metrics(kind=MetricKind.FINAL)] == [5]
        assert [stored.row for stored in storage.metrics("t0000", kind=MetricKind.FINAL)] == [5]
        assert storage.metrics("t0001", kind=MetricKind.FINAL) == []
        assert [stored.row for stored in storage.metrics(kind=MetricKind.INTERMEDIATE)] == [1, 2, 3, 4]
        assert [stored.row for stored in storage.metrics(after_row=2, limit=2)] == [3, 4]
        assert [stored.row for stored in storage.metrics("t0000", after_row=3, limit=1)] == [4]
        assert storage.metrics("nobody") == []
        stored_trial = storage.trial("t0000")
        assert stored_trial is not None
        assert (stored_trial.intermediate_count, stored_trial.latest_intermediate) == (2, "b")
        assert stored_trial.revision == 3

    def test_the_latest_intermediate_is_the_one_with_the_highest_index(self, storage: Storage) -> None:
        storage.commit([SaveTrial(trial(0)), results(0, metric(0, 5, "five"))])
        storage.commit([results(0, metric(0, 4, "four"))])
        stored = storage.trial("t0000")
        assert stored is not None
        assert (stored.intermediate_count, stored.latest_intermediate) == (2, "five")
        storage.commit([results(0, metric(0, 6, {"default": 6}))])
        stored = storage.trial("t0000")
        assert stored is not None
        assert (stored.intermediate_count, stored.latest_intermediate) == (3, {"default": 6})

    def test_saving_a_trial_keeps_its_results(self, storage: Storage) -> None:
        storage.commit([SaveTrial(trial(0)), results(0, metric(0, 0, 1), offset=10, reporter=0)])
        storage.commit([SaveTrial(trial(0, status=TrialStatus.SUCCEEDED))])
        stored = storage.trial("t0000")
        assert stored is not None
        assert (stored.intermediate_count, stored.latest_intermediate) == (1, 1)
        assert storage.report_position("t0000", 0) == ReportPosition(1, 0, {"reporter": 0}, 10)

    def test_report_positions_are_kept_for_each_attempt_and_reporter(self, storage: Storage) -> None:
        final = metric(0, 0, 1, kind=MetricKind.FINAL)
        storage.commit([SaveTrial(trial(0))])
        storage.commit([results(0, metric(0, 0, 1), final, offset=100, a=4, b=0)])
        storage.commit([results(0, metric(0, 1, 1), a=6)])
        again = metric(0, 2, 1, attempt=1)
        storage.commit([results(0, again, offset=7, a=1)])
        assert storage.report_position("t0000", 0) == ReportPosition(2, 1, {"a": 6, "b": 0}, 100)
        assert storage.report_position("t0000", 1) == ReportPosition(1, 0, {"a": 1}, 7)
        assert storage.report_position("t0000", 2) == ReportPosition(0, 0, {}, 0)

    def test_report_positions_never_go_back(self, storage: Storage) -> None:
        storage.commit([SaveTrial(trial(0)), results(0, offset=100, a=4)])
        storage.commit([results(0, offset=50, a=2), results(0, offset=70, a=3)])
        assert storage.report_position("t0000", 0) == ReportPosition(0, 0, {"a": 4}, 100)

    def test_pages_of_trials(self, storage: Storage) -> None:
        statuses = [TrialStatus.SUCCEEDED, TrialStatus.RUNNING, TrialStatus.WAITING]
        records = [trial(number, status=statuses[number % 3]) for number in range(30)]
        storage.commit([SaveTrial(record) for record in reversed(records)])

        def numbers(*arguments: Any) -> list[int]:
            return [stored.record.sequence_number for stored in storage.trials(*arguments)]

        assert numbers() == list(range(30))
        assert numbers(-1, 4) == [0, 1, 2, 3]
        assert numbers(27, 10) == [28, 29]
        assert numbers(-1, 3, [TrialStatus.RUNNING]) == [1, 4, 7]
        assert numbers(7, 4, {TrialStatus.RUNNING, TrialStatus.WAITING}) == [8, 10, 11, 13]
        assert numbers(-1, 100, (TrialStatus.FAILED, TrialStatus.SUCCEEDED)) == list(range(0, 30, 3))
        assert numbers(-1, 100, [TrialStatus.FAILED]) == []

    def test_changed_trials_come_by_revision_and_no_commit_is_cut(self, storage: Storage) -> None:
        storage.commit([SaveTrial(trial(number)) for number in (5, 3, 4)])
        storage.commit([SaveTrial(trial(0))])
        storage.commit([SaveTrial(trial(3)), results(0, metric(0, 0, 1))])

        def changed(revision: int, limit: int = 1000) -> list[tuple[int, int]]:
            found = storage.trials_changed_after(revision, limit)
            return [(stored.revision, stored.record.sequence_number) for stored in found]

        assert changed(0) == [(1, 4), (1, 5), (3, 0), (3, 3)]
        assert changed(0, 1) == [(1, 4), (1, 5)]
        assert changed(0, 2) == [(1, 4), (1, 5)]
        assert changed(0, 3) == [(1, 4), (1, 5), (3, 0), (3, 3)]
        assert changed(1) == [(3, 0), (3, 3)]
        assert changed(3) == []

    def test_stored_results_come_by_row_and_no_commit_is_cut(self, storage: Storage) -> None:
        storage.commit([SaveTrial(trial(0)), results(0, metric(0, 0, 1), metric(0, 1, 1))])
        storage.commit([SaveTrial(trial(0))])
        storage.commit([results(0, *(metric(0, index, 1) for index in range(2, 5)))])

        def rows(revision: int, limit: int = 10_000) -> list[int]:
            return [stored.row for stored in storage.metrics_changed_after(revision, limit)]

        assert rows(0) == [1, 2, 3, 4, 5]
        assert rows(0, 1) == [1, 2]
        assert rows(0, 3) == [1, 2, 3, 4, 5]
        assert rows(1, 1) == [3, 4, 5]
        assert rows(2) == [3, 4, 5]
        assert rows(3) == []

    def test_trial_counts(self, storage: Storage) -> None:
        storage.commit([SaveTrial(trial(number)) for number in range(3)])
        storage.commit([SaveTrial(trial(1, status=TrialStatus.RUNNING))])
        assert storage.trial_counts() == {TrialStatus.WAITING: 2, TrialStatus.RUNNING: 1}

    @pytest.mark.parametrize(("mode", "best"), [("maximize", 4), ("minimize", 2)])
    def test_the_best_trial_is_the_earliest_of_equals(self, storage: Storage, mode: str, best: int) -> None:
        def ended(number: int, objective: float | None, **changes: Any) -> SaveTrial:
            return SaveTrial(trial(number, objective=objective, **changes))

        succeeded = TrialStatus.SUCCEEDED
        storage.commit(
            [
                ended(0, None, status=succeeded, has_final_result=True, final_result=math.nan),
                ended(1, 99.0, status=TrialStatus.FAILED),
                ended(5, 0.9, status=succeeded),
                ended(4, 0.9, status=succeeded),
                ended(3, 0.1, status=succeeded),
                ended(2, 0.1, status=succeeded),
                ended(6, -99.0, status=TrialStatus.RUNNING),
            ]
        )
        found = storage.best_trial(mode)
        assert found is not None
        assert found.record.sequence_number == best

    def test_nothing_of_a_refused_batch_is_stored(self, storage: Storage) -> None:
        storage.commit([SaveExperiment(EXPERIMENT), SaveTrial(trial(0)), results(0, metric(0, 0, 1), a=1)])
        good: list[Write] = [
            SaveExperiment(replace(EXPERIMENT, status=ExperimentStatus.DONE)),
            SaveTrial(trial(1)),
            results(0, metric(0, 1, 2), offset=9, a=2),
        ]
        bad: list[Write] = [
            results(7, metric(7, 0, 1)),
            SaveTrial(trial(7, sequence_number=0)),
            SaveTrial(trial(0, sequence_number=7)),
            SaveTrial(trial(1, sequence_number=7)),
            SaveTrial(trial(2, parameters={"x": object()})),
            results(0, metric(0, 1, object())),
        ]
        for write in bad:
            with pytest.raises(BatchRefusedError):
                storage.commit([*good, write])
            assert storage.revision() == 1
            assert storage.experiment() == EXPERIMENT
            assert [stored.record for stored in storage.trials()] == [trial(0)]
            assert len(storage.metrics()) == 1
            assert storage.report_position("t0000", 0) == ReportPosition(1, 0, {"a": 1}, 0)
        assert storage.commit(good) == 2
        assert len(storage.metrics()) == 2

    def test_what_is_returned_or_was_given_is_a_copy(self, storage: Storage) -> None:
        parameters: dict[str, Any] = {"list": [1]}
        versions = {"numpy": "2.0"}
        origin = ExperimentOrigin(package_versions=versions)
        storage.commit(
            [
                SaveExperiment(replace(EXPERIMENT, config=parameters, origin=origin)),
                SaveTrial(trial(0, parameters=parameters, final_result=parameters)),
                results(0, metric(0, 0, parameters)),
            ]
        )
        parameters["list"].append(2)
        versions["numpy"] = "3.0"
        for _ in range(2):
            experiment, stored, found = storage.experiment(), storage.trial("t0000"), storage.metrics()[0]
            assert experiment is not None
            assert stored is not None
            assert experiment.origin.package_versions == {"numpy": "2.0"}
            experiment.origin.package_versions.clear()
            copies: list[Any] = [experiment.config, stored.record.parameters, stored.record.final_result]
            copies += [stored.latest_intermediate, found.record.value]
            for value in copies:
                assert value == {"list": [1]}
                value["list"].append(3)

    def test_readers_in_other_threads_see_whole_commits_only(self, storage: Storage) -> None:
        count = 60
        done = threading.Event()
        problems: list[str] = []

        def read() -> None:
            while not done.is_set():
                before = storage.revision()
                changed = storage.trials_changed_after(0)
                after = storage.revision()
                commits = len(changed) / 3
                if not before <= commits <= after:
                    problems.append(f"{len(changed)} trials between revisions {before} and {after}")
                if len(storage.metrics()) % 2:
                    problems.append("half of a commit's results")

        threads = [threading.Thread(target=read) for _ in range(6)]
        for thread in threads:
            thread.start()
        for step in range(count):
            numbers = range(3 * step, 3 * step + 3)
            found = (metric(numbers[0], 0, 1.0), metric(numbers[0], 1, 2.0))
            storage.commit([*(SaveTrial(trial(number)) for number in numbers), results(numbers[0], *found)])
        done.set()
        for thread in threads:
            thread.join()
        assert problems == []
        assert storage.revision() == count

    def test_a_large_batch(self, storage: Storage) -> None:
        records = [trial(number) for number in range(2500)]
        found = [results(number, metric(number, 0, {"a": number, "b": 0.5}), r=1) for number in range(2500)]
        storage.commit([*(SaveTrial(record) for record in records), *found])
        storage.commit(found)
        assert len(storage.trials(limit=5000)) == 2500
        assert [stored.row for stored in storage.metrics()] == list(range(1, 5001))
        last = storage.trial("t2499")
        assert last is not None
        assert (last.intermediate_count, last.latest_intermediate) == (2, {"a": 2499, "b": 0.5})

    def test_a_closed_storage_says_so(self, storage: Storage) -> None:
        storage.close()
        storage.close()
        with pytest.raises(StorageError, match="closed"):
            storage.revision()
        with pytest.raises(StorageError, match="closed"):
            storage.commit([SaveTrial(trial(0))])
