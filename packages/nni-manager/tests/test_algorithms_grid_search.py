"""The order and the end of grid search."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from nni import NoMoreTrialError
from nni_manager.algorithms.tuners.grid_search import GridSearchTuner


def grid(space: dict[str, Any], count: int = 1000) -> list[Any]:
    tuner = GridSearchTuner()
    tuner.update_search_space(space)
    return tuner.generate_multiple_parameters(list(range(count)))


def values(type_: str, *arguments: float, count: int = 1000) -> list[Any]:
    space = {"p": {"_type": type_, "_value": list(arguments)}}
    return [parameters["p"] for parameters in grid(space, count)]


def test_the_last_parameter_varies_fastest() -> None:
    space = {
        "a": {"_type": "choice", "_value": ["x", "y"]},
        "b": {"_type": "randint", "_value": [0, 3]},
    }
    assert [tuple(p.values()) for p in grid(space)] == [(a, b) for a in "xy" for b in range(3)]


def test_intervals_are_halved_and_no_point_comes_twice() -> None:
    assert values("uniform", 0, 8, count=7) == [4, 2, 6, 1, 3, 5, 7]
    space = {
        "a": {"_type": "choice", "_value": ["x", "y"]},
        "b": {"_type": "uniform", "_value": [0, 8]},
    }
    assert [tuple(p.values()) for p in grid(space, 6)] == [
        *[("x", 4), ("y", 4)],
        *[("x", 2), ("x", 6), ("y", 2), ("y", 6)],
    ]


def test_logarithmic_and_normal_parameters_are_divided_by_probability() -> None:
    assert values("loguniform", 1, 16, count=3) == pytest.approx([4, 2, 8])
    assert values("normal", 10, 1, count=3) == pytest.approx([10, 10 - 0.67449, 10 + 0.67449], abs=1e-4)
    assert values("lognormal", 0, 1, count=1) == [1]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("quniform", 0.2, 0.8, 0.3), [0.3, 0.6, 0.8]),
        (("quniform", 5, 100, 7), list(range(7, 99, 7))),
        (("quniform", 3, 3, 1), [3]),
        (("qloguniform", 1, 1000, 10), [1, *range(10, 1001, 10)]),
        (("randint", -5, 5), list(range(-5, 5))),
        (("uniform", 99.9, 99.9), [99.9]),
    ],
)
def test_finite_parameters_are_gone_through_once(arguments: tuple[Any, ...], expected: list[float]) -> None:
    assert sorted(values(*arguments)) == pytest.approx(expected)


def test_an_unbounded_quantized_parameter_ends_far_out() -> None:
    found = sorted(values("qnormal", 0, 1, 1))
    assert all(right - left == 1 for left, right in pairwise(found))
    assert found[0] <= -6
    assert found[-1] >= 6


def test_nested_options_are_gone_through_too() -> None:
    kernel = {"_type": "choice", "_value": [1, 3]}
    space = {
        "layer": {"_type": "choice", "_value": [{"_name": "Empty"}, {"_name": "Conv", "kernel": kernel}]},
        "n": {"_type": "randint", "_value": [0, 2]},
    }
    assert [(p["layer"].get("kernel"), p["n"]) for p in grid(space)] == [
        (kernel, n) for kernel in (None, 1, 3) for n in (0, 1)
    ]


def test_the_end_stays_the_end() -> None:
    tuner = GridSearchTuner(optimize_mode="maximize")
    tuner.update_search_space({"p": {"_type": "choice", "_value": [1]}})
    assert tuner.generate_parameters(0) == {"p": 1}
    for _ in range(2):
        with pytest.raises(NoMoreTrialError):
            tuner.generate_parameters(1)


def test_imported_parameters_are_left_out() -> None:
    tuner = GridSearchTuner()
    tuner.update_search_space(
        {"p": {"_type": "choice", "_value": [1, 2, 3]}, "q": {"_type": "choice", "_value": ["a"]}}
    )
    tuner.import_data([{"parameter": {"q": "a", "p": 2}, "value": 0}])
    assert [p["p"] for p in tuner.generate_multiple_parameters([0, 1, 2])] == [1, 3]


def test_a_large_range_is_not_listed() -> None:
    assert values("randint", 0, 10**15, count=3) == [0, 1, 2]


def test_an_empty_space_is_refused() -> None:
    with pytest.raises(ValueError, match="Search space is empty"):
        GridSearchTuner().update_search_space({})
