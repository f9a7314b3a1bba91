"""Values of the protocol keep their types and their order."""

import http
import importlib
import json
import math
import pkgutil
from collections.abc import Iterator
from typing import Any

import nni_proto.v1
import pytest
from google.protobuf import message_factory
from hypothesis import given
from hypothesis import strategies as st
from nni_proto import values
from nni_proto.v1 import value_pb2

texts = st.text(st.characters(codec="utf-8"), max_size=10)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)


def there_and_back(value: Any) -> Any:
    message = values.to_message(value)
    return values.from_message(value_pb2.Value.FromString(message.SerializeToString()))


@given(json_values)
def test_there_and_back_is_the_same_with_types_and_order(value: Any) -> None:
    # Text tells 1 from 1.0 and True, and one order of keys from another.
    assert json.dumps(there_and_back(value)) == json.dumps(value)


def test_a_number_with_a_name_is_a_number() -> None:
    assert json.dumps(there_and_back(http.HTTPStatus.OK)) == "200"


@given(st.dictionaries(texts, json_values, max_size=5))
def test_objects_there_and_back_are_the_same(value: dict[str, Any]) -> None:
    assert json.dumps(values.object_from_message(values.object_to_message(value))) == json.dumps(value)


def test_a_set_but_empty_value_is_no_missing_one() -> None:
    for value in ([], {}, "", 0, 0.0, False, None):
        assert there_and_back([value]) == [value]
        assert type(there_and_back(value)) is type(value)


def test_numbers_that_json_lacks() -> None:
    assert math.isnan(there_and_back(math.nan))
    assert there_and_back([math.inf, -math.inf]) == [math.inf, -math.inf]
    assert math.copysign(1, there_and_back(-0.0)) == -1


def test_integers_beyond_the_precision_of_doubles_stay_exact() -> None:
    assert there_and_back(2**53 + 1) == 2**53 + 1
    assert there_and_back([2**63 - 1, -(2**63)]) == [2**63 - 1, -(2**63)]


def test_a_tuple_is_a_list() -> None:
    assert there_and_back({"a": (1, 2)}) == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (2**63, ValueError, "the value: 9223372036854775808 does not fit in 64 bits"),
        ({"a": [1, -(2**63) - 1]}, ValueError, r"a\[1\]: .* does not fit"),
        ({"a": {"b": "\ud800"}}, ValueError, r"a\.b: .* is not valid Unicode"),
        ({"\ud800": 1}, ValueError, "is not valid Unicode"),
        ({"a": {1: 2}}, TypeError, "a: the key 1 is not text"),
        ([{}, {"x": {1}}], TypeError, r"\[1\]\.x: set is not a JSON type"),
        (object(), TypeError, "the value: object is not a JSON type"),
        (b"bytes", TypeError, "bytes is not a JSON type"),
    ],
)
def test_what_the_protocol_cannot_carry_is_named_with_its_path(
    value: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        values.to_message(value)


def nested(depth: int, around: Any) -> Any:
    value: Any = "deep"
    for _ in range(depth):
        value = around(value)
    return value


@pytest.mark.parametrize("around", [lambda value: [value], lambda value: {"k": value}])
def test_nesting_has_an_end_that_every_reader_can_follow(around: Any) -> None:
    deepest = nested(values.MAX_DEPTH, around)
    assert there_and_back(deepest) == deepest
    with pytest.raises(ValueError, match="nested more than 30 levels deep"):
        values.to_message(nested(values.MAX_DEPTH + 1, around))


def ways_to_values(descriptor: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yields the fields to follow from a message to each Value and ObjectValue in it."""
    for field in descriptor.fields:
        if field.message_type is None or field.message_type in [step.containing_type for step in way]:
            continue
        if field.message_type.full_name in ("nni_proto.v1.Value", "nni_proto.v1.ObjectValue"):
            yield (*way, field)
        else:
            yield from ways_to_values(field.message_type, (*way, field))


def every_message() -> Iterator[Any]:
    for module in pkgutil.iter_modules(nni_proto.v1.__path__):
        if module.name.endswith("_pb2") and module.name != "value_pb2":
            file = importlib.import_module(f"nni_proto.v1.{module.name}").DESCRIPTOR
            yield from file.message_types_by_name.values()


def test_the_deepest_value_can_be_read_wherever_it_stands() -> None:
    # protobuf refuses messages nested more than 100 deep, and every object takes three.
    deepest = values.to_message(nested(values.MAX_DEPTH, lambda value: {"k": value}))
    count = 0
    for descriptor in every_message():
        for way in ways_to_values(descriptor):
            whole = message = message_factory.GetMessageClass(descriptor)()
            for field in way:
                part = getattr(message, field.name)
                message = part.add() if hasattr(part, "add") else part
            is_object = way[-1].message_type.full_name == "nni_proto.v1.ObjectValue"
            message.CopyFrom(deepest.object_value if is_object else deepest)
            assert type(whole).FromString(whole.SerializeToString()) == whole
            count += 1
    assert count > 10


def test_malformed_messages_are_refused() -> None:
    with pytest.raises(ValueError, match="no kind set"):
        values.from_message(value_pb2.Value())
    twice = value_pb2.ObjectValue()
    for _ in range(2):
        twice.fields.add(key="a").value.int_value = 1
    with pytest.raises(ValueError, match="the key 'a' twice"):
        values.object_from_message(twice)
    without = value_pb2.Value()
    without.list_value.values.add()
    with pytest.raises(ValueError, match="no kind set"):
        values.from_message(without)
