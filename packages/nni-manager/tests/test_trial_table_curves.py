"""Curves are read once, and again where something was added."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from nni_manager.engine.effects import SaveTrial
from nni_manager.engine.statuses import TrialStatus
from nni_manager.experiments.trial_table import curves
from nni_manager.experiments.trial_table.curves import CurveKeeper, Curves
from nni_manager.experiments.trial_table.keeping import TableKeeper
from nni_manager.experiments.trial_table.query import TrialQuery
from nni_manager.experiments.trial_table.querying import chosen
from nni_manager.storage.interface import NumberSeries
from nni_manager.storage.memory import MemoryStorage
from nni_manager.testing.storage import EXPERIMENT, metric, results, trial


class Noting(MemoryStorage):
    """Notes what is read of it."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[list[str]] = []

    def intermediate_numbers(self, trial_ids: Collection[str], key: str) -> dict[str, NumberSeries]:
        self.read.append(list(trial_ids))
        return super().intermediate_numbers(trial_ids, key)


@pytest.fixture
def storage() -> Noting:
    storage = Noting()
    for number in range(3):
        storage.commit(
            [SaveTrial(trial(number, status=TrialStatus.RUNNING)), results(number, metric(number, 0, 1.0))]
        )
    return storage


class Chart:
    """Asks for curves as a page does."""

    def __init__(self, storage: Noting) -> None:
        self.storage = storage
        self.tables, self.curves = TableKeeper(), CurveKeeper()

    def __call__(self, key: str = "default", max_points: int = 100) -> Curves:
        self.storage.read.clear()
        trials = chosen(self.tables.table(self.storage, EXPERIMENT), TrialQuery())
        return self.curves.curves(self.storage, trials, key, 100, max_points)


def test_only_curves_that_grew_are_read_again(storage: Noting) -> None:
    chart = Chart(storage)
    first = chart()
    assert storage.read == [["t0000", "t0001", "t0002"]]
    assert chart() == first and storage.read == [[]]
    storage.commit([results(1, metric(1, 1, 2.0))])
    assert [list(it.values) for it in chart().curves] == [[1.0], [1.0, 2.0], [1.0]]
    assert storage.read == [["t0001"]]


def test_a_new_attempt_of_as_many_results_is_read_again(storage: Noting) -> None:
    chart = Chart(storage)
    chart()
    storage.commit([SaveTrial(trial(2, attempt=1)), results(2, metric(2, 0, 5.0, attempt=1))])
    assert [list(it.values) for it in chart().curves] == [[1.0], [1.0], [5.0]]
    assert storage.read == [["t0002"]]


def test_a_kept_curve_shows_the_status_of_now(storage: Noting) -> None:
    chart = Chart(storage)
    chart()
    storage.commit([SaveTrial(trial(0, status=TrialStatus.FAILED))])
    assert chart().curves[0].status is TrialStatus.FAILED and storage.read == [[]]


def test_curves_of_another_key_or_size_are_others(storage: Noting) -> None:
    chart = Chart(storage)
    storage.commit([results(0, *(metric(0, step, {"default": 1, "loss": step}) for step in range(1, 20)))])
    assert len(chart().curves[0].values) == 20
    assert len(chart(max_points=6).curves[0].values) <= 6
    assert list(chart(key="loss").curves[0].values)[1:] == list(range(1, 20))
    assert chart().keys == ["default", "loss"]


def test_an_entry_that_the_latest_results_lack_can_be_chosen(storage: Noting) -> None:
    chart = Chart(storage)
    storage.commit([results(0, metric(0, 1, {"default": 1, "acc": 0.5}), metric(0, 2, {"default": 2}))])
    assert chart().keys == ["default", "acc"]
    storage.commit([results(1, metric(1, 1, {"default": 1, "loss": 1}), metric(1, 2, 3.0))])
    assert chart().keys == ["default", "acc", "loss"]


def test_only_so_many_curves_are_kept(storage: Noting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "_CURVES_KEPT", 2)
    chart = Chart(storage)
    assert len(chart().curves) == 3
    assert len(chart().curves) == 3 and storage.read == [["t0000"]]
