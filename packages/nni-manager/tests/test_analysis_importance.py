from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nni_manager.analysis.importance import measure
from nni_manager.analysis.interface import Cell, ParameterColumn


def columns(rows: list[dict[str, Cell]]) -> list[ParameterColumn]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [ParameterColumn(name, [row.get(name) for row in rows]) for name in names]


def conditional(count: int) -> tuple[list[ParameterColumn], list[float]]:
    """Returns trials whose result depends on lr, less on the units that only some layers have."""
    source = random.Random(1)
    rows: list[dict[str, Cell]] = []
    results = []
    for _ in range(count):
        row: dict[str, Cell] = {
            "lr": 10 ** source.uniform(-6, 0),
            "layer._name": source.choice(["Dense", "Empty"]),
            "useless": source.uniform(0, 1),
            "fixed": "always",
        }
        if row["layer._name"] == "Dense":
            row["layer.units"] = float(source.randrange(8, 512))
        rows.append(row)
        units = row.get("layer.units")
        gain = units / 512 if isinstance(units, float) else 0.0
        assert isinstance(row["lr"], float)
        results.append(-abs(math.log10(row["lr"]) + 3) + gain)
    return columns(rows), results


def test_what_matters_comes_first_and_what_does_not_comes_last() -> None:
    found = measure(*conditional(300))
    order = [each.parameter for each in found.importances]
    shares = {each.parameter: each.importance for each in found.importances}
    assert order[0] == "lr" and shares["lr"] > 0.6
    assert shares["layer.units"] + shares["layer._name"] > 0.02 > shares["useless"]
    assert shares["fixed"] == 0.0
    assert sum(shares.values()) == pytest.approx(1.0)
    assert found.explained > 0.8


def test_the_same_trials_give_the_same_answer_twice() -> None:
    assert measure(*conditional(60)) == measure(*conditional(60))


def test_ranks_are_correlated_where_there_are_numbers() -> None:
    numbers = [float(number) for number in range(20)]
    parameters = [
        ParameterColumn("rising", [number**3 for number in numbers]),
        ParameterColumn("falling", [-number for number in numbers]),
        ParameterColumn("half", [number if number < 10 else None for number in numbers]),
        ParameterColumn("text", [str(number) for number in numbers]),
        ParameterColumn("constant", [1.0] * 20),
    ]
    found = {each.parameter: each.rank_correlation for each in measure(parameters, numbers).importances}
    assert found["rising"] == pytest.approx(1.0) and found["half"] == pytest.approx(1.0)
    assert found["falling"] == pytest.approx(-1.0)
    assert found["text"] is None and found["constant"] is None


def test_results_that_are_all_the_same_explain_nothing() -> None:
    found = measure(columns([{"x": float(number)} for number in range(12)]), [0.5] * 12)
    assert [(each.importance, each.rank_correlation) for each in found.importances] == [(0.0, None)]


CELLS = st.none() | st.text(max_size=3) | st.floats(allow_nan=False)


@settings(max_examples=15)
@given(st.data())
def test_any_cells_and_results_can_be_measured(data: st.DataObject) -> None:
    count = data.draw(st.integers(10, 14))
    rows = st.lists(CELLS, min_size=count, max_size=count)
    parameters = [ParameterColumn(f"p{place}", data.draw(rows)) for place in range(3)]
    results = data.draw(st.lists(st.floats(allow_nan=False), min_size=count, max_size=count))
    found = measure(parameters, results)
    assert len(found.importances) == 3
    for each in found.importances:
        assert 0.0 <= each.importance <= 1.0 and each.standard_deviation >= 0.0
