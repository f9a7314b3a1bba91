"""Values become plain JSON types, or it is said where they cannot."""

import json
from collections import OrderedDict
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_config.plain import NotPlainError, plain_scalar, plain_value

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


class Color(Enum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


@given(json_values)
def test_plain_values_stay_and_are_copied(value: Any) -> None:
    copied = plain_value(value)
    assert copied == value
    assert json.dumps(copied) == json.dumps(value)
    if isinstance(value, (list, dict)):
        assert copied is not value


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ((1, 2), [1, 2]),
        (range(3), [0, 1, 2]),
        (Color.RED, "red"),
        (Size.BIG, 3),
        (Path("a/b"), "a/b"),
        (OrderedDict(b=1, a=(2,)), {"b": 1, "a": [2]}),
    ],
)
def test_other_types_are_converted(value: Any, plain: Any) -> None:
    assert plain_value([value]) == [plain]
    assert type(plain_value(value)) is type(plain)


def test_numpy_is_converted() -> None:
    numpy = pytest.importorskip("numpy")
    values = [numpy.int64(1), numpy.float32(0.5), numpy.float64(2), numpy.bool_(True), numpy.str_("a")]
    plain = plain_value([*values, numpy.array([[1, 2]]), numpy.array(3)])
    assert plain == [1, 0.5, 2.0, True, "a", [[1, 2]], 3]
    assert [type(value) for value in plain] == [int, float, float, bool, str, list, int]
    assert plain_value({numpy.str_("key"): 1}) == {"key": 1}
    assert type(plain_scalar(numpy.int8(3))) is int


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (object(), ""),
        ({"a": [1, {2}]}, "a[1]: "),
        ({"a": {1: 2}}, "a: the key 1 is not text"),
        ([2**63], "[0]: 9223372036854775808 does not fit"),
        ([-(2**63) - 1], "[0]: "),
        ({"a": "\ud800"}, "a: "),
        ({"\ud800": 1}, "'\\ud800' is not valid"),
        ([b"bytes"], "[0]: "),
        ([1j], "[0]: "),
    ],
)
def test_what_json_cannot_hold_is_named_with_its_path(value: Any, path: str) -> None:
    with pytest.raises(NotPlainError) as error:
        plain_value(value)
    assert str(error.value).startswith(path)


def test_nesting_has_an_end() -> None:
    value: Any = 1
    for _ in range(30):
        value = [value]
    plain_value(value)
    with pytest.raises(NotPlainError, match="more than 30 levels"):
        plain_value([value])
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(NotPlainError, match="more than 30 levels"):
        plain_value(endless)
