"""The meaning of the search space: specs, values, checks, no repeats."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nni import NoMoreTrialError
from nni_manager.algorithms.hpo_utils import (
    Deduplicator,
    ParameterSpec,
    deformat_parameters,
    format_parameters,
    format_search_space,
    search_space_problems,
    validate_search_space,
)
from nni_manager.algorithms.hpo_utils.formatting import format_known_parameters, value_of
from nni_manager.algorithms.hpo_utils.grid import number_at
from nni_manager.testing.search_spaces import SPACES, is_value_of, parameter_problems


def one(type_: str, *values: Any) -> dict[str, Any]:
    return {"p": {"_type": type_, "_value": list(values)}}


def spec(type_: str, *values: Any) -> ParameterSpec:
    return format_search_space(one(type_, *values))["p",]


def test_specs_of_each_kind() -> None:
    assert spec("choice", "a", "b") == ParameterSpec("p", "choice", ["a", "b"], ("p",), True, size=2)
    assert spec("randint", 3, 7) == ParameterSpec("p", "randint", [3, 7], ("p",), True, size=4)
    uniform = spec("quniform", 0, 10, 3)
    assert (uniform.low, uniform.high, uniform.q, uniform.clip) == (0, 10, 3, (0, 10))
    assert (uniform.normal_distributed, uniform.log_distributed, uniform.categorical) == (False, False, False)
    log = spec("qloguniform", 1, 100, 5)
    assert (log.low, log.high, log.clip, log.log_distributed) == (0, math.log(100), (1, 100), True)
    normal = spec("qlognormal", 1, 2, 0.5)
    assert (normal.mu, normal.sigma, normal.q, normal.clip) == (1, 2, 0.5, None)
    assert (normal.normal_distributed, normal.log_distributed, normal.low) == (True, True, None)


def test_nested_specs_belong_to_an_option() -> None:
    space = format_search_space(SPACES["nested"])
    assert list(space) == [
        ("layer",),
        ("layer", 1, "kernel"),
        ("layer", 1, "inner"),
        ("layer", 1, "inner", 0, "rate"),
        ("n",),
    ]
    kernel, rate = space["layer", 1, "kernel"], space["layer", 1, "inner", 0, "rate"]
    assert [kernel.is_nested(), space["n",].is_nested()] == [True, False]
    assert kernel.is_activated_in({("layer",): 1})
    assert not kernel.is_activated_in({("layer",): 0})
    assert rate.is_activated_in({("layer",): 1, ("layer", 1, "inner"): 0})
    assert not rate.is_activated_in({("layer",): 0, ("layer", 1, "inner"): 0})


def test_nested_parameters_are_plain_dicts_with_a_name() -> None:
    space = format_search_space(SPACES["nested"])
    chosen = {("layer",): 1, ("layer", 1, "kernel"): 1, ("layer", 1, "inner"): 1, ("n",): 5}
    assert deformat_parameters(chosen, space) == {
        "layer": {"_name": "Conv", "kernel": 3, "inner": {"_name": "B"}},
        "n": 5,
    }
    assert deformat_parameters({("layer",): 0, ("n",): 5}, space) == {"layer": {"_name": "Empty"}, "n": 5}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("quniform", 0.2, 0.8, 0.3), [0.3, 0.6, 0.8]),
        (("quniform", 5, 100, 7), list(range(7, 99, 7))),
        (("quniform", 0, 1, 0.5), [0.0, 0.5, 1.0]),
        (("qloguniform", 1, 1000, 10), [1, *range(10, 1001, 10)]),
    ],
)
def test_the_values_of_quantized_types_are_those_of_the_formula(
    values: tuple[Any, ...], expected: list[float]
) -> None:
    parameter = spec(*values)
    found = {value_of(parameter, number_at(parameter, step / 20_000)) for step in range(20_001)}
    assert sorted(found) == pytest.approx(expected)
    low, high, q = values[1:]
    assert found == {min(max(round(value / q) * q, low), high) for value in found}


@pytest.mark.parametrize(
    ("values", "chosen", "expected"),
    [
        (("quniform", 0, 10, 2), 2.9, 2),
        (("quniform", 0, 10, 2.0), 2.9, 2.0),
        (("quniform", 0.5, 10, 2), 2.9, 2.0),
        (("qnormal", 0, 10, 3), -4.6, -6),
        (("qlognormal", 0, 1, 2), math.log(5.1), 6),
        (("qlognormal", 0, 1, 0.5), math.log(0.1), 0.0),
        (("uniform", 0, 10), 3, 3.0),
        (("randint", 3, 7), np.int64(2), 5),
        (("choice", np.int64(1), np.float32(0.5)), 0, 1),
        (("choice", np.int64(1), np.float32(0.5)), 1, 0.5),
        (("lognormal", 0, 1), 1e9, float.fromhex("0x1.fffffffffff2ap+1023")),
    ],
)
def test_the_types_of_values(values: tuple[Any, ...], chosen: Any, expected: Any) -> None:
    value = value_of(spec(*values), chosen)
    assert type(value) is type(expected)
    assert value == pytest.approx(expected)
    json.dumps(value)


@given(low=st.floats(1e-300, 1e300), factor=st.floats(1, 1e6), end=st.sampled_from([0.0, 0.5, 1.0]))
def test_rounding_leads_out_of_no_logarithmic_range(low: float, factor: float, end: float) -> None:
    parameter = spec("loguniform", low, low * factor)
    value = value_of(parameter, number_at(parameter, end))
    assert low <= value <= low * factor
    assert end != 0 or value == pytest.approx(low)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_formatting_is_the_inverse_of_deformatting(space: dict[str, Any], data: st.DataObject) -> None:
    formatted = format_search_space(space)
    chosen: dict[Any, Any] = {}
    for key, parameter in formatted.items():
        if parameter.is_activated_in(chosen):
            quantiles = st.floats(0.001, 0.999)
            chosen[key] = (
                data.draw(st.integers(0, parameter.size - 1))
                if parameter.size
                else number_at(parameter, data.draw(quantiles))
            )
    parameters = deformat_parameters(chosen, formatted)
    assert parameter_problems(parameters, space) == []
    again = format_parameters(parameters, formatted)
    assert list(again) == list(chosen)
    for key, parameter in formatted.items():
        if key in again and parameter.q is None:
            assert again[key] == pytest.approx(chosen[key], abs=1e-9)
        elif key in again:
            assert value_of(parameter, again[key]) == value_of(parameter, chosen[key])


@pytest.mark.parametrize(
    ("definition", "value"),
    [
        (("choice", "a", "b"), "c"),
        (("randint", 0, 5), 1.5),
        (("uniform", 0, 1), "x"),
        (("uniform", 0, 1), True),
        (("uniform", 0, 1), math.nan),
        (("lognormal", 0, 1), -1),
        (("loguniform", 1, 10), 0),
    ],
)
def test_what_is_no_value_is_named(definition: tuple[Any, ...], value: Any) -> None:
    space = format_search_space(one(*definition))
    with pytest.raises(ValueError, match="'p'"):
        format_parameters({"p": value}, space)
    assert format_known_parameters({"p": value}, space) == {}
    with pytest.raises(ValueError, match="'p' is missing"):
        format_parameters({}, space)


@pytest.mark.parametrize(
    ("definition", "value", "chosen"),
    [
        (("randint", 2, 5), 5, 3),
        (("randint", 2, 5), 1, -1),
        (("randint", 1, 5), np.int64(7), 6),
        (("randint", 1, 5), 2**60 + 2, 2**60 + 1),
        (("uniform", 0, 1), 1.1, 1.1),
        (("loguniform", 1, 10), 100, math.log(100)),
    ],
)
def test_numbers_of_a_wider_range_are_taken_for_records_and_left_out_by_built_in_tuners(
    definition: tuple[Any, ...], value: Any, chosen: Any
) -> None:
    space = format_search_space(one(*definition))
    assert format_parameters({"p": value}, space) == {("p",): chosen}
    assert format_known_parameters({"p": value}, space) == {}


def test_true_and_one_are_different_options() -> None:
    space = format_search_space(one("choice", 1, True, 1.0))
    assert [format_parameters({"p": value}, space)["p",] for value in (1, True, 1.0)] == [0, 1, 2]


BAD_SPACES: list[tuple[Any, str]] = [
    ([1], "search space: [1] is not a search space; allowed are names with parameters"),
    ({}, "search space: it is empty; allowed is one parameter or more"),
    ({"p": 3}, "search space: p: 3 is not a parameter"),
    ({"p": {"_value": [0, 1]}}, "search space: p: it has no _type"),
    (one("unifrom", 0, 1), "search space: p._type: there is no type 'unifrom' (did you mean 'uniform'?)"),
    (one("uniform", "0", 1), "search space: p._value[0]: low is '0'; allowed is a number"),
    (one("randint", 5, 5), "search space: p._value: [5, 5] is empty"),
    (
        one("choice", {"_name": "a", "q": {"_type": "uniform", "_value": [2, 1]}}),
        "search space: p._value[0].q._value: low 2 is above high 1",
    ),
    ({"p": {"q": {"_type": "uniform", "_value": [2, 1]}}}, "search space: p.q._value: low 2 is above high 1"),
]


@pytest.mark.parametrize(("space", "expected"), BAD_SPACES)
def test_what_is_wrong_with_a_space_is_named(
    space: Any, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    problems = search_space_problems(space)
    assert len(problems) == 1
    assert problems[0].startswith(expected)
    assert not validate_search_space(space)
    assert expected in caplog.text
    with pytest.raises(ValueError, match="search space"):
        validate_search_space(space, raise_exception=True)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_good_spaces_have_no_problems(space: dict[str, Any]) -> None:
    assert search_space_problems(space) == []
    assert validate_search_space(space)


def test_all_problems_are_told_at_once_and_types_may_be_limited() -> None:
    space = {**one("uniform", 1, 0), "r": {"_type": "randint", "_value": [1, 1]}}
    assert len(search_space_problems(space)) == 2
    assert "r._type: randint is not supported" in search_space_problems(space, ["uniform"])[2]
    assert not validate_search_space(one("normal", 0, 1), ["uniform"])


def test_numpy_scalars_are_numbers() -> None:
    assert search_space_problems(one("uniform", np.float32(0), np.int64(1))) == []
    assert search_space_problems(one("randint", np.int64(0), np.int32(3))) == []


def test_the_deduplicator_goes_through_a_finite_space_and_then_raises() -> None:
    space = format_search_space({**one("randint", 0, 2), "c": {"_type": "quniform", "_value": [0, 1, 0.5]}})
    deduplicate = Deduplicator(space)
    first = {("p",): 0, ("c",): 0.1}
    assert deduplicate(first) is first
    rounded_alike = {("p",): 0, ("c",): 0.2}
    found = [first, *(deduplicate(rounded_alike) for _ in range(5))]
    assert len({json.dumps(deformat_parameters(chosen, space)) for chosen in found}) == 6
    with pytest.raises(NoMoreTrialError):
        deduplicate(first)


def test_the_deduplicator_lets_everything_through_in_a_continuous_space() -> None:
    deduplicate = Deduplicator(format_search_space(one("uniform", 0, 1)))
    chosen = {("p",): 0.5}
    assert deduplicate(chosen) is chosen
    assert deduplicate(chosen) is chosen


def test_a_continuous_range_of_one_value_is_finite() -> None:
    deduplicate = Deduplicator(format_search_space(one("uniform", 99.9, 99.9)))
    deduplicate({("p",): 99.9})
    with pytest.raises(NoMoreTrialError):
        deduplicate({("p",): 99.9})


@pytest.mark.parametrize(
    ("value", "type_", "values", "expected"),
    [
        (0.6, "quniform", [0.2, 0.8, 0.3], True),
        (0.5, "quniform", [0.2, 0.8, 0.3], False),
        (1.0, "randint", [0, 2], False),
    ],
)
def test_the_contract_knows_wrong_values(value: Any, type_: str, values: list[Any], expected: bool) -> None:
    assert is_value_of(value, type_, values) is expected
