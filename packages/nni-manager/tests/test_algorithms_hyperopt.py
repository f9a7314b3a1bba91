"""Annealing, TPE_legacy, and the forms of hyperopt."""

from __future__ import annotations

import math
import sys
import types
from typing import Any

import numpy as np
import pytest
from nni_manager.algorithms import hyperopt_forms
from nni_manager.algorithms.built_ins import BUILT_INS
from nni_manager.algorithms.package_utils import create_builtin_class_instance
from nni_manager.algorithms.tuners.anneal import AnnealTuner, _pick
from nni_manager.algorithms.tuners.hyperopt import HyperoptTuner
from nni_manager.algorithms.tuners.random import RandomTuner
from nni_manager.algorithms.tuners.tpe import TpeTuner
from nni_manager.testing.search_spaces import SPACES

X = {"x": {"_type": "uniform", "_value": [0, 10]}}


def trained(tuner: Any, space: dict[str, Any], results: list[tuple[dict[str, Any], float]]) -> Any:
    tuner.update_search_space(space)
    tuner.import_data([{"parameter": parameters, "value": value} for parameters, value in results])
    return tuner


def drawn(tuner: Any, count: int = 400) -> list[Any]:
    """Returns what is proposed when every trial fails."""
    found = []
    for parameter_id in range(count):
        found.append(tuner.generate_parameters(parameter_id))
        tuner.trial_end(parameter_id, False)
    return found


@pytest.mark.parametrize("count", [1, 10, 90])
def test_the_neighbourhood_of_a_number_shrinks_and_stays_within_the_bounds(count: int) -> None:
    """w = W / (1 + T * shrink_coef), moved to where it fits."""
    width = 10 / (1 + 0.1 * count)
    for center in (5.0, 0.1, 10.0):
        found = [p["x"] for p in drawn(trained(AnnealTuner(seed=1), X, [({"x": center}, 1.0)] * count))]
        low = min(max(center - width / 2, 0), 10 - width)
        assert low <= min(found) < low + 0.02 * width
        assert low + 0.98 * width < max(found) <= low + width


def test_the_neighbourhoods_of_other_types() -> None:
    space = {
        "n": {"_type": "normal", "_value": [10, 4]},
        "l": {"_type": "loguniform", "_value": [1e-4, 1]},
        "c": {"_type": "choice", "_value": ["a", "b", "c", "d"]},
        "i": {"_type": "randint", "_value": [0, 100]},
    }
    known = {"n": 12.0, "l": 1e-2, "c": "b", "i": 50}
    found = drawn(trained(AnnealTuner(seed=1), space, [(known, 1.0)] * 30))
    shrunk = 1 / (1 + 30 * 0.1)
    numbers = [p["n"] for p in found]
    assert abs(np.mean(numbers) - 12) < 0.2
    assert abs(np.std(numbers) - 4 * shrunk) < 0.15
    logs = [math.log10(p["l"]) for p in found]
    assert -2 - 2 * shrunk <= min(logs) < -1.95 - 2 * shrunk
    assert -2.05 + 2 * shrunk < max(logs) <= -2 + 2 * shrunk
    assert {p["i"] for p in found} <= set(range(38, 64))
    kept = sum(p["c"] == "b" for p in found) / len(found)
    assert abs(kept - (1 - shrunk + shrunk / 4)) < 0.06


def test_the_best_trials_are_picked_geometrically() -> None:
    rng = np.random.default_rng(1)
    picked = [_pick(rng, np.arange(5)) for _ in range(2000)]
    assert [picked.count(index) / 2000 for index in range(5)] == pytest.approx(
        [0.5, 0.25, 0.125, 0.0625, 0.0625], abs=0.04
    )


@pytest.mark.parametrize(("mode", "sign"), [("minimize", 1), ("maximize", -1)])
def test_it_gets_close_to_the_optimum_either_way_and_avoids_nan(mode: str, sign: int) -> None:
    tuner = AnnealTuner(mode, seed=1)
    tuner.update_search_space(X)
    found = []
    for parameter_id in range(100):
        found.append(tuner.generate_parameters(parameter_id)["x"])
        value = math.nan if found[-1] > 6 else sign * (found[-1] - 3) ** 2
        tuner.receive_trial_result(parameter_id, {"x": found[-1]}, value)
    assert min(abs(x - 3) for x in found) < 0.05
    assert np.median([abs(x - 3) for x in found[60:]]) < 1


def test_a_parameter_that_the_picked_trial_lacks_comes_from_the_next_one_that_has_it() -> None:
    far = {"_name": "far", "d": {"_type": "uniform", "_value": [0, 100]}}
    space = {"kind": {"_type": "choice", "_value": [{"_name": "plain"}, far]}, **X}
    results: list[tuple[dict[str, Any], float]] = [({"kind": {"_name": "plain"}, "x": 1.0}, 0.0)] * 30
    results += [({"kind": {"_name": "far", "d": 50.0}, "x": 1.0}, 5.0)] * 90
    found = [p["kind"]["d"] for p in drawn(trained(AnnealTuner(seed=1), space, results)) if "d" in p["kind"]]
    assert len(found) > 5
    assert all(45 <= d <= 55 for d in found)


@pytest.mark.parametrize(
    ("liar", "expected"), [("min", [-1.0, -1.0]), ("max", [-30.0, -30.0]), ("mean", [-15.5, -15.5])]
)
def test_running_trials_count_as_the_liar_says_once_there_are_more_than_20(
    liar: str, expected: list[float]
) -> None:
    tuner = trained(
        AnnealTuner("maximize", True, liar, seed=1), X, [({"x": 1.0}, float(n)) for n in range(1, 21)]
    )
    tuner.generate_multiple_parameters([0, 1])
    assert len(tuner._known()[1]) == 20
    tuner.import_data([{"parameter": {"x": 1.0}, "value": float(n)} for n in range(21, 31)])
    tuner.import_data([{"parameter": {"x": 1.0}, "value": math.inf}])
    assert list(tuner._known()[1][-2:]) == expected
    alone = trained(AnnealTuner("maximize", seed=1), X, [({"x": 1.0}, 1.0)] * 25)
    alone.generate_parameters(0)
    assert len(alone._known()[1]) == 25


@pytest.mark.parametrize(
    ("mode", "parallel", "liar", "expected"),
    [
        ("minimize", False, "min", None),
        ("minimize", True, "min", "best"),
        ("minimize", True, "max", "worst"),
        ("maximize", True, "min", "worst"),
        ("maximize", True, "max", "best"),
        ("maximize", True, "mean", "mean"),
    ],
)
def test_the_liars_of_tpe(mode: str, parallel: bool, liar: str, expected: str | None) -> None:
    inner = HyperoptTuner("tpe", mode, parallel, liar)._tuner
    assert isinstance(inner, TpeTuner)
    assert inner._arguments.constant_liar_type == expected


def test_it_proposes_what_the_tuner_behind_it_would() -> None:
    pairs = [
        (HyperoptTuner("tpe", seed=4), TpeTuner(seed=4, tpe_args={"constant_liar_type": None})),
        (HyperoptTuner("anneal", "maximize", seed=4), AnnealTuner("maximize", seed=4)),
        (HyperoptTuner("random_search", seed=4), RandomTuner(seed=4)),
    ]
    for ours, other in pairs:
        runs = []
        for tuner in (ours, other):
            tuner.update_search_space(SPACES["mixed"])
            runs.append([])
            for parameter_id in range(40):
                runs[-1].append(tuner.generate_parameters(parameter_id))
                if parameter_id % 5:
                    tuner.receive_trial_result(parameter_id, runs[-1][-1], runs[-1][-1]["drop"])
                tuner.trial_end(parameter_id, bool(parameter_id % 5))
        assert runs[0] == runs[1]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("annealing",), "algorithm_name is 'annealing'; allowed are anneal, tpe, random_search"),
        (("anneal", "best"), "'best' is not a valid OptimizeMode"),
        (("tpe", "minimize", True, "worst"), "constant_liar_type is 'worst'; allowed are min, max, mean"),
    ],
)
def test_wrong_arguments_are_named(arguments: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        HyperoptTuner(*arguments)


@pytest.mark.parametrize(("name", "algorithm"), [("TPE_legacy", "tpe"), ("anneal", "anneal")])
def test_a_name_brings_its_algorithm_along(name: str, algorithm: str) -> None:
    made = create_builtin_class_instance(name, {"optimize_mode": "maximize", "seed": 3}, "tuner")
    assert isinstance(made, HyperoptTuner)
    assert made.algorithm_name == algorithm
    built_in = next(each for each in BUILT_INS if each.name.lower() == name.lower())
    assert isinstance(built_in.load()(**built_in.fixed_arguments, parallel_optimize=True), HyperoptTuner)


NESTED = {
    "layer": {
        "_type": "choice",
        "_value": [
            {"_name": "Empty"},
            {"_name": "Conv", "k": {"_type": "choice", "_value": [1, 3]}},
        ],
    },
    "n": {"_type": "randint", "_value": [5, 9]},
    "lr": {"_type": "loguniform", "_value": [0.1, 1]},
    "q": {"_type": "qloguniform", "_value": [2, 8, 4]},
    "z": {"_type": "qnormal", "_value": [0, 1, 0.5]},
}
VALUES = {
    "root[layer]-choice": 1,
    "root[layer]-choice[1][k]-choice": 0,
    "root[n]-randint": 2,
    "root[lr]-loguniform": 0.5,
    "root[q]-qloguniform": 4,
    "root[z]-qnormal": -0.5,
}
WRAPPED = {
    "layer": {"_index": 1, "_value": {"_name": "Conv", "k": {"_index": 0, "_value": 1}}},
    "n": 7,
    "lr": 0.5,
    "q": 4,
    "z": -0.5,
}


def test_hyperopts_values_and_wrapped_parameters_are_forms_of_the_same() -> None:
    assert hyperopt_forms.json2parameter(NESTED, VALUES) == WRAPPED
    found: dict[str, Any] = {}
    hyperopt_forms.json2vals(NESTED, WRAPPED, found)
    assert found == VALUES
    clipped = hyperopt_forms.json2parameter(NESTED, {**VALUES, "root[q]-qloguniform": 0.0})
    assert clipped["q"] == 2
    with pytest.raises(RuntimeError, match="'_name' key is not found"):
        hyperopt_forms.json2parameter([{"k": 1}], {})


def test_search_spaces_become_expressions_of_hyperopt(monkeypatch: pytest.MonkeyPatch) -> None:
    class Recorder:
        def __getattr__(self, kind: str) -> Any:
            return lambda *arguments: (kind, *arguments)

    hyperopt = types.ModuleType("hyperopt")
    hyperopt.hp = Recorder()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "hyperopt", hyperopt)
    made = hyperopt_forms.json2space(NESTED)
    inner = ("choice", "root[layer]-choice[1][k]-choice", [1, 3])
    assert made["layer"] == (
        "choice",
        "root[layer]-choice",
        [{"_name": "Empty"}, {"_name": "Conv", "k": inner}],
    )
    assert made["n"] == ("randint", "root[n]-randint", 4)
    assert made["lr"] == ("loguniform", "root[lr]-loguniform", math.log(0.1), 0.0)
    assert made["q"] == ("qloguniform", "root[q]-qloguniform", math.log(2), math.log(8), 4)
    assert made["z"] == ("qnormal", "root[z]-qnormal", 0, 1, 0.5)
    assert NESTED["lr"]["_value"] == [0.1, 1]


def test_without_hyperopt_expressions_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hyperopt", None)
    with pytest.raises(ImportError, match="pip install hyperopt"):
        hyperopt_forms.json2space(NESTED)
