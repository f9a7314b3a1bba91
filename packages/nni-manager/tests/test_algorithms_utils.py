"""What custom algorithms import from nni.utils, nni.recoverable, nni.parameter_expressions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nni import NoMoreTrialError
from nni_manager.algorithms import parameter_expressions
from nni_manager.algorithms.assessor import Assessor, AssessResult
from nni_manager.algorithms.recoverable import Recoverable
from nni_manager.algorithms.results import loss_of
from nni_manager.algorithms.tuner import Tuner
from nni_manager.algorithms.utils import (
    ClassArgsValidator,
    OptimizeMode,
    convert_dict2tuple,
    extract_scalar_history,
    extract_scalar_reward,
    json2parameter,
    json2space,
    split_index,
)
from nni_manager.testing.search_spaces import is_value_of

NESTED = {
    "a": {"_type": "uniform", "_value": [0, 1]},
    "l": {
        "_type": "choice",
        "_value": ["x", {"_name": "N", "k": {"_type": "randint", "_value": [0, 9]}}],
    },
}


@pytest.mark.parametrize(("value", "expected"), [(1.5, 1.5), (True, 1), ({"default": 2, "x": "y"}, 2)])
def test_the_number_in_a_result(value: Any, expected: float) -> None:
    assert extract_scalar_reward(value) == expected
    assert extract_scalar_history([value, value]) == [expected, expected]


@pytest.mark.parametrize("value", ["1", None, {}, {"default": None}, {"other": 1}, [1]])
def test_a_result_without_a_number(value: Any) -> None:
    with pytest.raises(RuntimeError, match="Incorrect final result"):
        extract_scalar_reward(value)


def test_the_number_may_be_under_another_key() -> None:
    assert extract_scalar_reward({"loss": 3}, "loss") == 3


@pytest.mark.parametrize(
    ("value", "minimized", "maximized"),
    [
        (2, 2, -2),
        (math.nan, math.inf, math.inf),
        (math.inf, math.inf, -math.inf),
        (-math.inf, -math.inf, math.inf),
        (10**400, math.inf, -math.inf),
        (-(10**400), -math.inf, math.inf),
    ],
)
def test_nan_is_the_worst_loss_either_way(value: float, minimized: float, maximized: float) -> None:
    assert loss_of(value, OptimizeMode.Minimize) == minimized
    assert loss_of({"default": value}, OptimizeMode.Maximize) == maximized


def test_indexed_parameters_are_drawn_kept_and_unwrapped() -> None:
    random_state = np.random.RandomState(3)
    drawn = json2parameter(NESTED, {}, random_state, Rand=True)
    while drawn["l"]["_index"] == 0:
        drawn = json2parameter(NESTED, {}, random_state, Rand=True)
    k = drawn["l"]["_value"]["k"]
    assert drawn["l"] == {"_index": 1, "_value": {"_name": "N", "k": k}}
    assert split_index(drawn) == {"a": drawn["a"], "l": {"_name": "N", "k": k}}
    assert json2parameter(NESTED, {}, random_state, drawn) == drawn
    changed = json2parameter(NESTED, {"root[a]-uniform": True}, random_state, drawn)
    assert changed["l"] == drawn["l"]
    assert changed["a"] != drawn["a"]


def test_the_names_of_a_space() -> None:
    names = ["root[a]-uniform", "root[l]-choice[1][k]-randint", "root[l]-choice"]
    assert json2space(NESTED) == names
    assert json2space(NESTED, {"a": 0.5, "l": {"_index": 0, "_value": "x"}}) == [names[0], names[2]]
    kept = {"a": 0.5, "l": {"_index": 1, "_value": {"_name": "N", "k": 3}}}
    assert json2space(NESTED, kept) == names
    with pytest.raises(RuntimeError, match="_name"):
        json2space({"l": {"_type": "choice", "_value": [{"k": 1}]}})


def test_dicts_become_sorted_tuples() -> None:
    assert convert_dict2tuple({"b": {"d": 1, "c": 2}, "a": 3}) == (("a", 3), ("b", (("c", 2), ("d", 1))))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("randint", [3, 7]),
        ("uniform", [-1.0, 1.0]),
        ("quniform", [0.2, 0.8, 0.3]),
        ("loguniform", [1e-5, 1e-1]),
        ("qloguniform", [1.0, 1000.0, 10.0]),
        ("normal", [0.0, 1.0]),
        ("qnormal", [0.0, 10.0, 3.0]),
        ("lognormal", [0.0, 1.0]),
        ("qlognormal", [0.0, 1.0, 0.5]),
    ],
)
def test_random_values(name: str, arguments: list[Any]) -> None:
    random_state = np.random.RandomState(1)
    draw = getattr(parameter_expressions, name)
    found = [draw(*arguments, random_state) for _ in range(300)]
    assert all(is_value_of(value, name, arguments) for value in found)
    assert len(set(found)) > 2
    again = [draw(*arguments, rs) for rs in [np.random.RandomState(1)] for _ in range(300)]
    assert found == again


def test_random_choice_and_bad_ranges() -> None:
    random_state = np.random.RandomState(1)
    assert {parameter_expressions.choice(["a", "b"], random_state) for _ in range(50)} == {"a", "b"}
    with pytest.raises(AssertionError):
        parameter_expressions.uniform(2, 1, random_state)
    with pytest.raises(AssertionError):
        parameter_expressions.loguniform(0, 1, random_state)


def test_more_than_one_random_value_at_once() -> None:
    random_state = np.random.RandomState(1)
    found = parameter_expressions.qnormal([0, 100], 0.1, 2, random_state)
    assert isinstance(found, np.ndarray)
    assert found.tolist() == [0, 100]
    assert {parameter_expressions.choice(3, random_state) for _ in range(50)} == {0, 1, 2}
    with pytest.raises(ValueError, match="options is empty"):
        parameter_expressions.choice([], random_state)


def test_class_argument_checks(tmp_path: Path) -> None:
    validator = ClassArgsValidator()
    assert validator.choices("mode", "a", "b").validate("a") == "a"
    assert validator.range("n", int, 0, 9).validate(9) == 9
    assert validator.path("folder").validate(str(tmp_path)) == str(tmp_path)
    for check, value in [
        (validator.choices("mode", "a", "b"), "c"),
        (validator.range("n", int, 0, 9), 10),
        (validator.range("n", int, 0, 9), True),
        (validator.range("n", float, 0, 9), "1"),
        (validator.path("folder"), str(tmp_path / "none")),
        (validator.path("folder"), 3),
    ]:
        with pytest.raises(ValueError, match=f"{check.key} is .* should be"):
            check.validate(value)


def test_parameters_of_an_earlier_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    algorithm = Recoverable()
    assert not algorithm.is_created_in_previous_exp(0)
    records = [
        {"parameter_id": 3, "parameters": {"x": 1}},
        json.dumps({"parameter_id": 5, "parameters": {"x": 2}}),
        {"parameter_id": "0_0_0", "parameters": {}},
    ]
    assert algorithm.recover_parameter_id(records) == 5
    assert algorithm.recovered_max_param_id == 5
    assert [algorithm.is_created_in_previous_exp(id_) for id_ in (None, 5, 6)] == [False, True, False]
    assert [algorithm.get_previous_param(id_) for id_ in (3, 4)] == [{"x": 1}, None]
    assert Recoverable().recover_parameter_id([]) == 0
    assert Recoverable().recover_parameter_id(records[0]) == 3
    monkeypatch.delenv("NNI_CHECKPOINT_DIRECTORY", raising=False)
    assert algorithm.get_checkpoint_path() is None
    monkeypatch.setenv("NNI_CHECKPOINT_DIRECTORY", str(tmp_path))
    assert algorithm.get_checkpoint_path() == str(tmp_path)


class Counting(Tuner):
    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> dict[str, Any]:
        if parameter_id == 3:
            raise NoMoreTrialError
        return {"id": parameter_id, "kwargs": kwargs}


def test_the_base_tuner_stops_at_the_first_refusal() -> None:
    proposed = Counting().generate_multiple_parameters([1, 2, 3, 4], st_callback=1)
    assert [parameters["id"] for parameters in proposed] == [1, 2]
    assert proposed[0]["kwargs"] == {"st_callback": 1}


def test_the_base_classes_say_what_to_override() -> None:
    tuner, assessor = Tuner(), Assessor()
    for call in (
        lambda: tuner.generate_parameters(0),
        lambda: tuner.receive_trial_result(0, {}, 0),
        lambda: tuner.update_search_space({}),
        lambda: assessor.assess_trial("abc", []),
    ):
        with pytest.raises(NotImplementedError, match="not implemented"):
            call()
    tuner.trial_end(0, True)
    tuner.import_data([])
    assessor.trial_end("abc", True)
    assert AssessResult.Good.value is True
