from __future__ import annotations

import itertools
from typing import Any

import pytest
from workspace.tuner_benchmark.cost import print_cost
from workspace.tuner_benchmark.functions import FUNCTIONS, Space
from workspace.tuner_benchmark.quality import print_quality, regret
from workspace.tuner_benchmark.searches import OPTUNA, make_search

OPTIMA: dict[str, dict[str, Any]] = {
    "branin": {"x": 3.141592653589793, "y": 2.275},
    "rosenbrock4": {f"x{i}": 1.0 for i in range(4)},
    "hartmann6": dict(
        zip(
            [f"x{i}" for i in range(6)],
            (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573),
            strict=True,
        )
    ),
    "ackley10": {f"x{i}": 0.3 for i in range(10)},
    "kernel_machine": {"C": 10.0, "gamma": 0.01, "kernel": "rbf", "degree": 1},
    "categories": {f"c{i}": f"o{(-2 * i) % 5}" for i in range(6)},
    "integers5": dict(zip([f"n{i}" for i in range(5)], (10, 50, 31, 5, 60), strict=True)),
    "network": {
        "optimizer": {"_name": "sgd", "momentum": 0.9},
        "activation": "relu",
        "rate": 10**-2.5,
        "layers": 4,
        "dropout": 0.3,
    },
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_regret_is_zero_at_the_optimum_and_nowhere_less(name: str) -> None:
    objective, space = FUNCTIONS[name]
    assert objective(OPTIMA[name]) == pytest.approx(0, abs=1e-5)
    search = make_search("Random", space, 1)
    drawn = [search.ask()[1] for _ in range(300)]
    assert min(map(objective, drawn)) > -1e-5


def test_every_point_of_the_categories_is_worse_than_the_optimum() -> None:
    objective, space = FUNCTIONS["categories"]
    values = itertools.product(*(entry["_value"] for entry in space.values()))
    below = [point for point in values if objective(dict(zip(space, point, strict=True))) <= 0]
    assert below == [tuple(OPTIMA["categories"].values())]


@pytest.mark.parametrize("name", ["TPE", OPTUNA, "Hyperband"])
@pytest.mark.parametrize("function", ["network", "kernel_machine"])
def test_a_search_is_repeatable_and_asked_in_parallel(name: str, function: str) -> None:
    assert regret(name, function, 3, 12, 4) == regret(name, function, 3, 12, 4)


def test_the_tables(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    small: dict[str, tuple[Any, Space]] = {"branin": FUNCTIONS["branin"]}
    monkeypatch.setattr("workspace.tuner_benchmark.quality.FUNCTIONS", small)
    print_quality(["TPE"], seeds=1, trials=3, parallel=1, processes=1)
    print_cost(["TPE", "GridSearch", OPTUNA], [5, 20])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line and line[0] not in " m"] == [
        "final",
        "random",
        "function",
        "branin",
        "finished",
        "TPE",
        "GridSearch",
        "optuna's",
    ]
