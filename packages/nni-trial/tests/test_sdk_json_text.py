"""JSON text without json says what json says."""

import json
import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni import _json_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture(autouse=True, scope="module")
def without_json() -> Iterator[None]:
    """As in a process that has not imported json."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_json_text, "sys", SimpleNamespace(modules={}))
        assert _json_text._scan is not None
        assert _json_text._encode is not None
        yield


def same(one: Any, other: Any) -> bool:
    return json.dumps(one) == json.dumps(other)


@given(VALUES)
def test_it_writes_what_json_writes(value: Any) -> None:
    assert _json_text.dumps(value) == json.dumps(value, separators=(",", ":"))


@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans(), st.text(" \t\r\n", max_size=3))
def test_it_reads_what_json_reads(value: Any, indent: Any, ascii_only: bool, end: str) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only) + end
    assert same(_json_text.loads(text), json.loads(text))


@pytest.mark.parametrize(
    "text",
    ["", " ", "{", "[1,]", "{} {}", "nan", "'a'", '"\x01"', '"\\ud8', "\ufeff{}", "1" * 5000, "[" * 10**5],
)
def test_what_is_not_json_is_refused_as_by_json(text: str) -> None:
    with pytest.raises(Exception) as expected:
        json.loads(text)
    with pytest.raises(type(expected.value)) as found:
        _json_text.loads(text)
    assert str(found.value) == str(expected.value)


def test_blanks_before_the_text() -> None:
    assert _json_text.loads("\n {} ") == {}


def test_without_the_c_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json_text, "_scan", None)
    monkeypatch.setattr(_json_text, "_encode", None)
    assert math.isnan(_json_text.loads("[NaN]")[0])
    assert _json_text.dumps({"a": [1, math.inf]}) == '{"a":[1,Infinity]}'
