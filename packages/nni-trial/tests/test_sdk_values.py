from __future__ import annotations

import collections
import datetime
import decimal
import enum
import json
import math
from typing import Any, NamedTuple

import nni
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nni._values import has_number, plain

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | INT64 | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=30,
)


def same(left: Any, right: Any) -> bool:
    """Returns whether two values are equal with their types and the order of their keys."""
    return repr(left) == repr(right)


@given(VALUES)
def test_a_json_value_is_unchanged(value: Any) -> None:
    assert same(plain(value), value)


@settings(max_examples=50)
@given(st.lists(VALUES, min_size=1, max_size=5))
def test_reported_values_come_back_from_the_file(
    tmp_path_factory: pytest.TempPathFactory, values: Any
) -> None:
    folder = tmp_path_factory.mktemp("trial")
    (folder / "parameters.json").write_text('{"parameters": {}}', encoding="utf-8")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NNI_PLATFORM", "local")
        environment.setenv("NNI_SYS_DIR", str(folder))
        nni.get_next_parameter()
        for value in values:
            nni.report_intermediate_result(value)
    with (folder / "reports.jsonl").open(encoding="ascii") as file:
        assert same([json.loads(line)["v"] for line in file], values)


class Tensor:
    """As torch's: `item()` gives the one element, or raises RuntimeError."""

    def __init__(self, *elements: Any) -> None:
        self.elements = elements
        self.shape = (len(elements),)

    def item(self) -> Any:
        if len(self.elements) != 1:
            raise RuntimeError(f"a Tensor with {len(self.elements)} elements cannot be converted to Scalar")
        return self.elements[0]


class EagerTensor:
    """As TensorFlow's: no `item()`, but `numpy()`."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def numpy(self) -> Any:
        return np.asarray(self.value)


class Pair(NamedTuple):
    """A tuple with names."""

    a: int
    b: float


class Colour(str, enum.Enum):
    """Text by another name."""

    RED = "red"


class Level(enum.IntEnum):
    """A number by another name."""

    HIGH = 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.float16(0.5), 0.5),
        (np.longdouble(0.5), 0.5),
        (np.int64(7), 7),
        (np.uint8(7), 7),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array(0.5), 0.5),
        (np.array([7]), 7),
        (np.array([[0.5]]), 0.5),
        (Tensor(0.25), 0.25),
        (EagerTensor(0.25), 0.25),
        (EagerTensor([7]), 7),
        ({"default": np.float32(0.5), "n": [np.int32(1)]}, {"default": 0.5, "n": [1]}),
        ((1, 2.5), [1, 2.5]),
        (Pair(1, 2.5), [1, 2.5]),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (
            {0: 0.5, True: 1, None: 2, 1.5: 3, np.int64(9): 4},
            {"0": 0.5, "true": 1, "null": 2, "1.5": 3, "9": 4},
        ),
    ],
)
def test_what_is_like_a_json_value_becomes_one(value: Any, expected: Any) -> None:
    assert same(plain(value), expected)


def test_nan_of_numpy_stays_nan() -> None:
    assert math.isnan(plain(np.float32("nan")))
    assert plain(np.float32("-inf")) == -math.inf


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"loss": np.array([1.0, 2.0])},
            r"the value\['loss'\]: a numpy.ndarray of shape \(2,\) is not one number",
        ),
        (Tensor(1.0, 2.0), r"the value: a .*Tensor of shape \(2,\) is not one number \(a Tensor with 2"),
        ({"a": [0, EagerTensor([1, 2])]}, r"the value\['a'\]\[1\]: a .*EagerTensor is not one number"),
        (
            {"when": datetime.date(2020, 1, 1)},
            r"the value\['when'\]: datetime.date is not a type that JSON can hold",
        ),
        (np.datetime64("2020-01-01"), "the value: datetime.date is not a type that JSON can hold"),
        (decimal.Decimal("1"), "the value: decimal.Decimal is not a type that JSON can hold"),
        (1 + 2j, "the value: complex is not a type that JSON can hold"),
        (b"bytes", "the value: bytes is not a type that JSON can hold"),
        ({1, 2}, "the value: set is not a type that JSON can hold"),
        (object(), "the value: object is not a type that JSON can hold"),
        (np.float64, "the value: a type is not one number"),
        ({("a", 1): 2}, r"the value: the key \('a', 1\) is a tuple, and JSON keys are text"),
        ({"a": {b"k": 1}}, r"the value\['a'\]: the key b'k' is a bytes"),
    ],
)
def test_what_json_cannot_hold_is_a_type_error_that_names_where(value: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        plain(value)


def nested(depth: int) -> list[Any]:
    return [nested(depth - 1)] if depth > 1 else []


def circular() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"n": 2**63}, r"the value\['n'\]: the integer 9223372036854775808 does not fit in 64 bits"),
        (-(2**63) - 1, "the value: the integer -9223372036854775809 does not fit"),
        (nested(31), "nested more than 30 levels deep"),
        ({"a": circular()}, r"the value\['a'\]: nested more than 30 levels deep"),
        ({"t": "\ud800"}, r"the value\['t'\]: '\\ud800' is not valid Unicode text"),
        ({"\udfff": 1}, r"the value: '\\udfff' is not valid Unicode text"),
        ({1: 0, "1": 0}, "the value: two keys become the text '1'"),
    ],
)
def test_what_the_protocol_refuses_is_a_value_error_that_names_where(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plain(value)


def test_the_edges_are_allowed() -> None:
    edges = [2**63 - 1, -(2**63), nested(29)]
    assert plain(edges) == edges


@pytest.mark.parametrize(
    "value", [1, 0.5, True, math.nan, {"default": 1}, {"default": math.inf, "note": "x"}]
)
def test_numbers_are_numbers(value: Any) -> None:
    assert has_number(value)


WITHOUT_NUMBER = [
    None,
    "0.5",
    [1],
    {},
    {"acc": 1},
    {"default": "1"},
    {"default": None},
    {"default": {"default": 1}},
]


@pytest.mark.parametrize("value", WITHOUT_NUMBER)
@pytest.mark.parametrize("report", [nni.report_intermediate_result, nni.report_final_result])
def test_a_number_is_required_where_a_tuner_needs_one(
    value: Any, report: Any, inside: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nni.get_next_parameter()
    monkeypatch.setenv("NNI_NUMERIC_RESULTS", "intermediate,final")
    with pytest.raises(
        ValueError, match=f"nni.{report.__name__}: the experiment's tuner or assessor needs a number"
    ):
        report(value)
    assert inside.reports() == []
    monkeypatch.setenv("NNI_NUMERIC_RESULTS", "")
    report(value)
    assert [line["v"] for line in inside.reports()] == [value]


@pytest.mark.parametrize(("kind", "free"), [("intermediate", "final"), ("final", "intermediate")])
def test_only_the_results_that_an_algorithm_reads_have_to_be_numbers(
    kind: str, free: str, inside: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nni.get_next_parameter()
    monkeypatch.setenv("NNI_NUMERIC_RESULTS", kind)
    with pytest.raises(ValueError, match="needs a number"):
        getattr(nni, f"report_{kind}_result")({"acc": 1})
    getattr(nni, f"report_{free}_result")({"acc": 1})
    assert [line["v"] for line in inside.reports()] == [{"acc": 1}]


def test_the_keys_there_are_are_named(inside: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    nni.get_next_parameter()
    monkeypatch.setenv("NNI_NUMERIC_RESULTS", "intermediate,final")
    with pytest.raises(ValueError, match="This is a dict; its keys are 'acc', 'loss'"):
        nni.report_final_result({"acc": 1, "loss": 2})
    nni.report_final_result({"default": np.float32(0.5), "loss": 2})
    assert inside.values("f") == [{"default": 0.5, "loss": 2}]


def test_a_result_has_a_greatest_length(inside: Any) -> None:
    nni.get_next_parameter()
    nni.report_intermediate_result({"a": "x" * (1 << 20)})
    with pytest.raises(ValueError, match="may have 16 MiB"):
        nni.report_intermediate_result("x" * (16 << 20))
    assert [len(value["a"]) for value in inside.values()] == [1 << 20]
