"""Batch: the options of one choice in their order. It has a contract of its own, since its space has."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni import NoMoreTrialError
from nni_config import ExperimentConfig
from nni_manager.algorithms.registry import check_algorithm
from nni_manager.algorithms.tuners.batch import BatchTuner
from nni_manager.experiments.customized import checked_import, checked_parameters
from nni_manager.experiments.errors import InvalidArgumentError
from nni_manager.tuning.plain_values import plain
from nni_proto import values

OPTIONS: list[Any] = [
    {"lr": 1, "n": 2},
    {"lr": 0.1, "n": 3},
    {"_name": "small", "layers": [1, {"x": None}]},
    {"_name": "small"},
    {"lr": {"_type": "uniform", "_value": [0, 1]}},
    5,
    True,
    "text",
    None,
    [],
    {},
]

WRONG: list[tuple[Any, str]] = [
    ({}, "it has 0 parameters"),
    ({"x": {"_type": "choice", "_value": [1]}, "y": {}}, "it has 2 parameters"),
    ({"x": {"_type": "uniform", "_value": [0, 1]}}, "x._type: 'uniform' is not supported by this algorithm"),
    ({"x": {"_type": "choice", "_value": []}}, "x._value: it is empty"),
    ({"x": {"_type": "choice", "_value": 5}}, "x._value: 5 is not a list"),
    ([1, 2], "is not a search space"),
    ({"x": [1, 2]}, "x: [1, 2] is not a choice"),
]


def space(*options: Any) -> dict[str, Any]:
    return {"combined": {"_type": "choice", "_value": list(options)}}


def tuner_with(*options: Any) -> BatchTuner:
    tuner = BatchTuner()
    tuner.update_search_space(space(*options))
    return tuner


def rest(tuner: BatchTuner, first_id: int = 100) -> list[Any]:
    return tuner.generate_multiple_parameters(list(range(first_id, first_id + 50)))


def test_each_option_itself_in_order_and_then_no_more() -> None:
    tuner = tuner_with(*OPTIONS)
    for parameter_id, option in enumerate(OPTIONS):
        assert tuner.generate_parameters(parameter_id) is option
    with pytest.raises(NoMoreTrialError, match="every option of the batch was proposed"):
        tuner.generate_parameters(99)
    assert rest(tuner) == []


@pytest.mark.parametrize("option", OPTIONS, ids=json.dumps)
def test_an_option_goes_to_the_trial_as_it_is(option: Any) -> None:
    (proposed,) = rest(tuner_with(option))
    received = values.from_message(values.to_message(plain(proposed)))
    assert json.dumps(received) == json.dumps(option)
    assert check_algorithm("tuner", "Batch", {"seed": 1, "optimize_mode": "minimize"}, space(option)) == []


@pytest.mark.parametrize(("wrong", "expected"), WRONG)
def test_another_search_space_is_refused_before_the_start_and_by_the_tuner(wrong: Any, expected: str) -> None:
    (problem,) = check_algorithm("tuner", "BatchTuner", None, wrong)
    assert problem.startswith("search space: ")
    assert expected in problem
    tuner = tuner_with(1, 2)
    with pytest.raises(RuntimeError, match="search space: "):
        tuner.update_search_space(wrong)
    assert rest(tuner) == [1, 2]


@pytest.mark.parametrize("value", [0, 0.0, False, 1.5, math.nan, {"default": 0}, None, "text"])
def test_what_was_imported_or_tried_by_a_user_is_left_out(value: Any) -> None:
    tuner = tuner_with({"a": 1}, {"a": 2}, {"a": 3}, {"a": 4})
    tuner.import_data([{"parameter": {"a": 2}, "value": value}, {"parameter": {"b": 2}, "value": value}])
    tuner.receive_trial_result(None, {"a": 4.0}, value, customized=True)
    assert rest(tuner) == [{"a": 1}, {"a": 3}]


def test_true_is_not_one_and_a_double_option_is_proposed_as_often_as_it_stands_there() -> None:
    tuner = tuner_with(True, 1, 1, "1", {"b": 1, "a": 2})
    tuner.import_data([{"parameter": 1, "value": 0.5}, {"parameter": {"a": 2, "b": 1}, "value": 1}])
    assert json.dumps(rest(tuner)) == '[true, 1, "1"]'


def test_nothing_that_happens_to_a_trial_changes_the_order() -> None:
    tuner = tuner_with(*OPTIONS)
    first = tuner.generate_parameters(0)
    for value in (0.5, math.nan, None, "text", {"other": 1}):
        tuner.receive_trial_result(0, first, value)
        tuner.receive_trial_result(77, {"never": "proposed"}, value)
    tuner.trial_end(0, False)
    tuner.trial_end(0, True)
    tuner.trial_end(77, False)
    tuner.import_data([5, {}, {"parameter": 3}])  # type: ignore[list-item]
    assert rest(tuner) == OPTIONS[1:]


def test_a_changed_list_holds_from_the_next_trial_on() -> None:
    tuner = tuner_with("a", "b", "c")
    tuner.generate_multiple_parameters([0, 1])
    tuner.import_data([{"parameter": "d", "value": 1}])
    tuner.update_search_space(space("d", "c", "b", "e", "a", "a"))
    assert rest(tuner) == ["c", "e", "a"]


def test_an_unknown_optimize_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="best"):
        BatchTuner("best")


@given(
    st.lists(st.sampled_from(["a", "b", 1, True, 2.0]), min_size=1, max_size=12),
    st.lists(st.sampled_from(["ask", "import", "own", "change", "end"]), max_size=25),
    st.randoms(use_true_random=False),
)
def test_one_made_anew_goes_on_as_the_one_before(options: list[Any], events: list[str], rng: Any) -> None:
    tuner, calls = tuner_with(*options), [("update_search_space", (space(*options),), {})]
    for number, event in enumerate(events):
        known = rng.choice(options)
        if event == "ask":
            for proposed in tuner.generate_multiple_parameters([number]):
                calls.append(("restore_proposal", (number, proposed), {}))
            continue
        call: tuple[str, Any, dict[str, Any]]
        if event == "import":
            call = ("import_data", ([{"parameter": known, "value": 0}],), {})
        elif event == "own":
            call = ("receive_trial_result", (None, known, 1.0), {"customized": True})
        elif event == "change":
            call = ("update_search_space", (space(*random.Random(number).sample(options, len(options))),), {})
        else:
            call = ("trial_end", (number, False), {})
        calls.append(call)
        getattr(tuner, call[0])(*call[1], **call[2])
    anew = BatchTuner()
    for name, arguments, named in calls:
        getattr(anew, name)(*arguments, **named)
    assert json.dumps(rest(anew)) == json.dumps(rest(tuner))


def test_a_large_batch() -> None:
    options = [{"number": number, "text": "x" * 50} for number in range(20_000)]
    tuner = tuner_with(*options)
    tuner.import_data([{"parameter": option, "value": 1} for option in options[:-2]])
    assert rest(tuner) == options[-2:]


def test_a_user_may_try_and_import_anything_with_a_number() -> None:
    config = ExperimentConfig(tuner={"name": "batchtuner"}, search_space=space({"lr": 1}))
    checked_parameters(config, {"lr": 7, "other": 1})
    checked_import(config, [{"parameter": {"lr": 1}, "value": 0}])
    with pytest.raises(InvalidArgumentError, match="'much' is not a number"):
        checked_import(config, [{"parameter": {"lr": 1}, "value": "much"}])
