"""What every storage keeps when it is read for tables and charts, as tests; see storage.py."""

# ruff: noqa: D102 - the names of the tests say what they hold.
from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from nni_manager.engine.effects import SaveTrial
from nni_manager.engine.statuses import MetricKind
from nni_manager.storage.interface import Storage
from nni_manager.testing.storage import as_told, metric, results, trial


class TableContract:
    """The reads that tables and charts are made of. The class that inherits makes `storage`, empty."""

    def test_trials_are_read_by_their_ids_in_the_order_asked_for(self, storage: Storage) -> None:
        storage.commit([SaveTrial(trial(number)) for number in range(3)])
        storage.commit([results(1, metric(1, 0, 0.5))])
        found = storage.trials_of(["t0002", "unknown", "t0001"])
        assert [it.record.trial_id for it in found] == ["t0002", "t0001"]
        assert found[1] == storage.trial("t0001")
        assert storage.trials_of([]) == []

    def test_many_trials_are_read_by_their_ids(self, storage: Storage) -> None:
        storage.commit([SaveTrial(trial(number)) for number in range(2500)])
        ids = [f"t{number:04d}" for number in reversed(range(2500))]
        assert [it.record.trial_id for it in storage.trials_of(ids)] == ids

    def test_the_numbers_of_intermediate_results_come_by_rising_index(self, storage: Storage) -> None:
        storage.commit([SaveTrial(trial(0)), SaveTrial(trial(1)), SaveTrial(trial(2))])
        storage.commit([results(0, metric(0, 1, 0.1 + 0.2), metric(0, 0, -1e-320))])
        storage.commit([results(1, metric(1, 0, 7)), results(0, metric(0, 5, 1e300))])
        found = storage.intermediate_numbers(["t0000", "t0001", "t0002", "unknown"], "default")
        assert {name: (list(it.indexes), list(it.numbers)) for name, it in found.items()} == {
            "t0000": ([0, 1, 5], [-1e-320, 0.1 + 0.2, 1e300]),
            "t0001": ([0], [7.0]),
        }

    def test_only_the_present_attempt_and_no_final_result_counts(self, storage: Storage) -> None:
        storage.commit([SaveTrial(trial(0))])
        storage.commit([results(0, metric(0, 0, 1.0))])
        storage.commit([SaveTrial(trial(0, attempt=1))])
        assert storage.intermediate_numbers(["t0000"], "default") == {}
        assert storage.intermediate_numbers_at(0, "default") == {}
        storage.commit(
            [results(0, metric(0, 0, 2.0, attempt=1), metric(0, 0, 9.0, attempt=1, kind=MetricKind.FINAL))]
        )
        assert list(storage.intermediate_numbers(["t0000"], "default")["t0000"].numbers) == [2.0]
        assert storage.intermediate_numbers_at(0, "default") == {"t0000": 2.0}

    @pytest.mark.parametrize(
        ("value", "key", "number"),
        [
            (0.5, "default", 0.5),
            (0.5, "loss", math.nan),
            (math.inf, "default", math.inf),
            (-math.inf, "default", -math.inf),
            (math.nan, "default", math.nan),
            (True, "default", math.nan),
            (None, "default", math.nan),
            ("0.5", "default", math.nan),
            ([0.5], "default", math.nan),
            (10**400, "default", math.nan),
            ({"default": 1, "loss": math.inf}, "default", 1.0),
            ({"default": 1, "loss": math.inf}, "loss", math.inf),
            ({"default": 1}, "loss", math.nan),
            ({"a": {"b": {"c": 3}}}, "a.b.c", 3.0),
            ({"a": {"b": 3}}, "a", math.nan),
            ({"a.b": 4, "a": {"b": 3}}, "a.b", 4.0),
            ({"a": 4}, "a.b", math.nan),
            ({'\u00e9 "x"': 4}, '\u00e9 "x"', 4.0),
        ],
    )
    def test_an_entry_that_is_no_number_is_nan(
        self, storage: Storage, value: Any, key: str, number: float
    ) -> None:
        storage.commit([SaveTrial(trial(0))])
        storage.commit([results(0, metric(0, 0, value), metric(0, 1, 0.25))])
        found = storage.intermediate_numbers(["t0000"], key)["t0000"]
        assert as_told(found.numbers[0]) == as_told(number)
        assert as_told(storage.intermediate_numbers_at(0, key)["t0000"]) == as_told(number)
        assert list(found.indexes) == [0, 1]

    def test_every_entry_that_was_ever_a_number_is_known(self, storage: Storage) -> None:
        assert storage.intermediate_keys() == (set(), 0)
        storage.commit([SaveTrial(trial(0))])
        storage.commit([results(0, metric(0, 0, {"acc": 1, "loss": math.nan, "name": "x", "in": {"a": 1}}))])
        keys, row = storage.intermediate_keys()
        assert keys == {"acc", "loss"}
        storage.commit([results(0, metric(0, 1, 0.5), metric(0, 0, {"end": 1}, kind=MetricKind.FINAL))])
        later, last = storage.intermediate_keys(row)
        assert later == {"default"} and last > row
        assert storage.intermediate_keys(last) == (set(), last)

    def test_an_index_that_was_stored_twice_has_the_later_number(self, storage: Storage) -> None:
        storage.commit([SaveTrial(trial(0))])
        storage.commit([results(0, metric(0, 3, 1.0), metric(0, 3, 2.0))])
        assert storage.intermediate_numbers_at(3, "default") == {"t0000": 2.0}
        assert list(storage.intermediate_numbers(["t0000"], "default")["t0000"].numbers) == [1.0, 2.0]

    def test_reads_within_a_snapshot_agree(self, storage: Storage) -> None:
        storage.commit([SaveTrial(trial(0))])
        with ThreadPoolExecutor(1) as pool:
            with storage.snapshot():
                later = pool.submit(storage.commit, [SaveTrial(trial(1))])
                with storage.snapshot():
                    assert storage.revision() == 1
                assert storage.revision() == 1
                assert len(storage.trials()) == 1 and storage.trial("t0001") is None
            assert later.result(timeout=30) == 2
        assert storage.revision() == 2 and len(storage.trials()) == 2

    def test_a_snapshot_ends_with_an_error_too(self, storage: Storage) -> None:
        storage.commit([SaveTrial(trial(0))])
        for _ in range(9):
            with pytest.raises(KeyError), storage.snapshot():
                assert storage.revision() >= 1
                raise KeyError
        assert storage.commit([SaveTrial(trial(1))]) == storage.revision() == 2
