"""Search spaces for the built-in tuners: what is wrong with them is said with the path to it."""

import math
import re
from typing import Any

import pytest
from nni_config import ExperimentConfig, InvalidConfigError, check_search_space, search_space_warnings

GOOD: dict[str, Any] = {
    "choice": {"_type": "choice", "_value": ["a", 1, 0.5, None, True, [1, 2], {"plain": 1}]},
    "one": {"_type": "choice", "_value": [1]},
    "randint": {"_type": "randint", "_value": [-5, 5]},
    "uniform": {"_type": "uniform", "_value": [0, 1.5]},
    "point": {"_type": "uniform", "_value": [99.9, 99.9]},
    "quniform": {"_type": "quniform", "_value": [0.2, 0.8, 0.3]},
    "loguniform": {"_type": "loguniform", "_value": [1e-5, 1e-1]},
    "qloguniform": {"_type": "qloguniform", "_value": [1, 1000, 10]},
    "normal": {"_type": "normal", "_value": [-3, 2]},
    "qnormal": {"_type": "qnormal", "_value": [0, 2, 0.5]},
    "lognormal": {"_type": "lognormal", "_value": [-1, 1]},
    "qlognormal": {"_type": "qlognormal", "_value": [0, 1, 2]},
    "nested": {
        "_type": "choice",
        "_value": [
            {"_name": "Empty"},
            {"_name": "Conv", "k": {"_type": "choice", "_value": [1, 3]}},
            {
                "_name": 5,
                "inner": {
                    "_type": "choice",
                    "_value": [{"_name": "x", "u": {"_type": "uniform", "_value": [0, 1]}}],
                },
            },
        ],
    },
    "optim": {
        "lr": {"_type": "loguniform", "_value": [1e-4, 1]},
        "deep": {"wd": {"_type": "choice", "_value": [0]}},
    },
    "变量": {"_type": "choice", "_value": ["é"]},
}


@pytest.mark.parametrize("name", list(GOOD))
def test_every_type_is_accepted(name: str) -> None:
    assert check_search_space({name: GOOD[name]}) == []
    assert search_space_warnings({name: GOOD[name]}) == []


BAD: list[tuple[Any, str, str]] = [
    ({"_type": "choice", "_value": []}, "x._value", "is empty"),
    ({"_type": "choice", "_value": "abc"}, "x._value", "not a list"),
    ({"_type": "choice", "_value": {"a": 1}}, "x._value", "not a list"),
    ({"_type": "choice"}, "x", "no _value"),
    ({"_value": [1, 2]}, "x", "no _type"),
    ({}, "x", "is empty"),
    (0.1, "x", "for a constant, {'_type': 'choice', '_value': [0.1]}"),
    ([1, 2], "x", "is not a parameter"),
    ({"_type": "choise", "_value": [1]}, "x._type", "did you mean 'choice'"),
    ({"_type": "Uniform", "_value": [0, 1]}, "x._type", "did you mean 'uniform'"),
    ({"_type": 3, "_value": [1]}, "x._type", "there is no type 3"),
    ({"_type": ["choice"], "_value": [1]}, "x._type", "there is no type"),
    ({"_type": "layer_choice", "_value": ["a"]}, "x._type", "architecture search"),
    ({"_type": "randint", "_value": [5, 5]}, "x._value", "is empty"),
    ({"_type": "randint", "_value": [7, 5]}, "x._value", "above high"),
    ({"_type": "randint", "_value": [0.5, 5]}, "x._value[0]", "allowed is a whole number"),
    ({"_type": "randint", "_value": [0, 5.0]}, "x._value[1]", "allowed is a whole number"),
    ({"_type": "randint", "_value": [True, 5]}, "x._value[0]", "low is True"),
    ({"_type": "randint", "_value": [5]}, "x._value", "has 1 elements; allowed is [low, high]"),
    ({"_type": "uniform", "_value": [0, 1, 2]}, "x._value", "has 3 elements"),
    ({"_type": "uniform", "_value": ["0", 1]}, "x._value[0]", "low is '0'"),
    ({"_type": "uniform", "_value": [1, 0]}, "x._value", "low 1 is above high 0"),
    ({"_type": "uniform", "_value": [math.nan, 1]}, "x._value[0]", "finite"),
    ({"_type": "uniform", "_value": [0, math.inf]}, "x._value[1]", "finite"),
    ({"_type": "uniform", "_value": [-1e308, 1e308]}, "x._value", "too wide"),
    ({"_type": "quniform", "_value": [0, 1]}, "x._value", "allowed is [low, high, q]"),
    ({"_type": "quniform", "_value": [0, 1, 0]}, "x._value[2]", "q is 0; allowed is a number above 0"),
    ({"_type": "quniform", "_value": [0, 1, -1]}, "x._value[2]", "q is -1"),
    ({"_type": "loguniform", "_value": [-4, -1]}, "x._value[0]", "logarithmic"),
    ({"_type": "loguniform", "_value": [0, 1]}, "x._value[0]", "logarithmic"),
    ({"_type": "qloguniform", "_value": [0, 1, 1]}, "x._value[0]", "logarithmic"),
    ({"_type": "normal", "_value": [0, 0]}, "x._value[1]", "sigma is 0"),
    ({"_type": "normal", "_value": [0, -1]}, "x._value[1]", "sigma is -1"),
    ({"_type": "qnormal", "_value": [0, 1, 0]}, "x._value[2]", "q is 0"),
    ({"_type": "lognormal", "_value": [None, 1]}, "x._value[0]", "mu is None"),
    ({"_type": "choice", "_value": [1, {"_name": "a"}]}, "x._value[0]", "mixes options"),
    (
        {"_type": "choice", "_value": [{"k": {"_type": "choice", "_value": [1]}}]},
        "x._value[0]",
        "no _name",
    ),
    ({"_type": "choice", "_value": [{"_name": None}]}, "x._value[0]._name", "not a name"),
    (
        {"_type": "choice", "_value": [{"_name": "a"}, {"_name": "a"}]},
        "x._value[1]._name",
        "option above",
    ),
    ({"_type": "choice", "_value": [{"_name": "a", "k": 3}]}, "x._value[0].k", "is not a parameter"),
    (
        {
            "_type": "choice",
            "_value": [
                {"_name": "a", "k": {"_type": "choice", "_value": [{"_name": "b", "l": {"_type": "x"}}]}}
            ],
        },
        "x._value[0].k._value[0].l._type",
        "there is no type 'x'",
    ),
    ({"lr": {"_type": "uniform", "_value": [1, 0]}, "wd": 3}, "x.lr._value", "above"),
    ({"_name": "a", "lr": {"_type": "uniform", "_value": [0, 1]}}, "x._name", "cannot have the name"),
]


@pytest.mark.parametrize(("entry", "path", "text"), BAD)
def test_what_is_wrong_is_said_with_its_path(entry: Any, path: str, text: str) -> None:
    problem, *_ = check_search_space({"fine": GOOD["uniform"], "x": entry})
    assert problem.startswith(f"{path}: ")
    assert text in problem
    assert "allowed" in problem or "meaning of its own" in problem


@pytest.mark.parametrize(("entry", "path", "text"), BAD)
def test_a_configuration_with_it_is_refused(
    valid_config: ExperimentConfig, entry: Any, path: str, text: str
) -> None:
    """Row 198 of the field reports: such spaces were accepted and only logged."""
    valid_config.search_space = {"fine": GOOD["uniform"], "x": entry}
    with pytest.raises(ValueError, match=re.escape(f"search_space.{path}: ")) as error:
        valid_config.validate()
    assert text in str(error.value)


def test_types_may_be_limited() -> None:
    space = {"a": GOOD["nested"], "group": {"b": GOOD["normal"]}, "c": {"_type": "choise", "_value": [1]}}
    assert check_search_space(space, ["choice"]) == [
        "c._type: there is no type 'choise' (did you mean 'choice'?); allowed are choice, randint, uniform, "
        "quniform, loguniform, qloguniform, normal, qnormal, lognormal, qlognormal",
        "a._value[2].inner._value[0].u._type: uniform is not supported by this algorithm; allowed are choice",
        "group.b._type: normal is not supported by this algorithm; allowed are choice",
    ]


def test_types_of_a_tuners_own_may_be_allowed() -> None:
    space = {"a": {"_type": "mine", "_value": ["x", {}]}, "b": {"_type": "other", "_value": [1]}}
    problems = check_search_space({**space, "c": GOOD["nested"]}, ["mine", "choice", "uniform"])
    assert [problem.split(": ")[0] for problem in problems] == ["b._type"]


@pytest.mark.parametrize("space", [[], "x", 5, None, {}])
def test_what_is_no_search_space(space: Any) -> None:
    assert len(check_search_space(space)) == 1


def test_every_problem_is_found() -> None:
    space = {
        "a": {"_type": "uniform", "_value": ["x", math.inf]},
        "b": 3,
        "odd key": {"_type": "y", "_value": []},
    }
    assert [problem.split(": ")[0] for problem in check_search_space(space)] == [
        "a._value[0]",
        "a._value[1]",
        "b",
        "['odd key']._type",
    ]


def test_numpy_values_are_converted() -> None:
    numpy = pytest.importorskip("numpy")
    space = {
        "a": {
            "_type": "choice",
            "_value": [numpy.int64(1), numpy.float32(0.5), numpy.bool_(True), numpy.str_("x")],
        },
        "b": {"_type": "randint", "_value": (numpy.int64(1), numpy.int32(5))},
        "c": {"_type": "choice", "_value": numpy.arange(3)},
    }
    assert check_search_space(space) == []


def test_what_json_cannot_hold_is_named() -> None:
    assert check_search_space({"a": {"_type": "choice", "_value": [1, object]}})[0].startswith(
        "a._value[1]: "
    )
    assert "the key 3 is not text" in check_search_space({3: GOOD["one"]})[0]
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    assert "nested more than 30 levels" in check_search_space({"a": {"_type": "choice", "_value": [deep]}})[0]


@pytest.mark.parametrize("name", ["epochs:", " lr", "lr ", "a.b", "a/b", "a[0]", "a\nb", "", "\u200b"])
def test_odd_names_are_warned_of_and_accepted(name: str) -> None:
    space = {name: GOOD["uniform"]}
    assert check_search_space(space) == []
    assert len(search_space_warnings(space)) == 1


def test_other_warnings() -> None:
    space = {
        "a": {"_type": "choice", "_value": [1, True, 1.0, 1], "_values": [2]},
        "b": {"_type": "choice", "_value": [{"_name": "x", "k ": GOOD["uniform"]}]},
        "c": {"d:": GOOD["one"]},
    }
    assert [warning.split(": ")[0] for warning in search_space_warnings(space)] == [
        "a._values",
        "a._value[3]",
        "b._value[0]['k ']",
        "c['d:']",
    ]
    assert search_space_warnings([1]) == []


def test_a_very_large_space() -> None:
    options = [f"option number {number} with a longer text" for number in range(50_000)]
    space = {"x": {"_type": "choice", "_value": options}}
    assert check_search_space(space) == []
    assert search_space_warnings(space) == []
    options[-1] = object()
    assert check_search_space(space)[0].startswith("x._value[49999]: ")


def test_very_many_problems_are_counted(valid_config: ExperimentConfig) -> None:
    valid_config.search_space = {
        f"p{number}": {"_type": "uniform", "_value": [1, 0]} for number in range(20_000)
    }
    with pytest.raises(InvalidConfigError) as error:
        valid_config.validate()
    assert len(error.value.problems) == 20_000
    lines = str(error.value).splitlines()
    assert lines[0].startswith("search_space.p0._value: ")
    assert lines[200:] == ["and 19800 more like these"]
