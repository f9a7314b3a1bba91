"""Converts between Python values and the protocol's Value message.

The types are those of JSON: None, bool, int, float, str, list (or tuple) and dict with text keys.
Integers stay integers, and the keys of a dict keep their order.
"""

from __future__ import annotations

from typing import Any, Dict

from google.protobuf import struct_pb2

from nni_proto.v1 import value_pb2

MAX_DEPTH = 30
"""How deep lists and objects may be nested."""

_NULL = struct_pb2.NULL_VALUE
_INT64 = range(-(2**63), 2**63)


def to_message(value: Any) -> value_pb2.Value:
    """Returns a value as a message.

    Raises:
        ValueError: The value is nested too deep, or holds an integer beyond 64 bits or text that is
            not valid Unicode; the text names where.
        TypeError: The value holds something that JSON cannot; the text names where.
    """
    message = value_pb2.Value()
    _fill(message, value, "", 0)
    return message


def object_to_message(value: Dict[str, Any]) -> value_pb2.ObjectValue:
    """Returns a dict as an ObjectValue; raises what `to_message` raises."""
    return to_message(value).object_value


def from_message(message: value_pb2.Value) -> Any:
    """Returns the Python value of a message.

    Raises:
        ValueError: The message has no kind set, or an object with the same key twice.
    """
    kind = message.WhichOneof("kind")
    if kind == "object_value":
        return object_from_message(message.object_value)
    if kind == "list_value":
        return [from_message(element) for element in message.list_value.values]
    if kind == "null_value":
        return None
    if kind is None:
        raise ValueError("a value of the protocol has no kind set")
    return getattr(message, kind)


def object_from_message(message: value_pb2.ObjectValue) -> Dict[str, Any]:
    """Returns the dict of an ObjectValue; raises what `from_message` raises."""
    result = {field.key: from_message(field.value) for field in message.fields}
    if len(result) != len(message.fields):
        keys = [field.key for field in message.fields]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"an object of the protocol has the key {twice!r} twice")
    return result


def _fill(message: value_pb2.Value, value: Any, path: str, depth: int) -> None:
    if value is None:
        message.null_value = _NULL
    elif isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, int):
        number = int(value)  # a range searches itself for a subclass of int, one number at a time
        if number not in _INT64:
            raise ValueError(f"{path or 'the value'}: {number} does not fit in 64 bits")
        message.int_value = number
    elif isinstance(value, float):
        message.double_value = value
    elif isinstance(value, str):
        message.string_value = _checked_text(value, path)
    elif depth >= MAX_DEPTH:
        raise ValueError(f"{path or 'the value'}: nested more than {MAX_DEPTH} levels deep")
    elif isinstance(value, (list, tuple)):
        elements = message.list_value.values
        message.list_value.SetInParent()
        for index, element in enumerate(value):
            _fill(elements.add(), element, f"{path}[{index}]", depth + 1)
    elif isinstance(value, dict):
        fields = message.object_value.fields
        message.object_value.SetInParent()
        for key, element in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{path or 'the value'}: the key {key!r} is not text")
            field = fields.add()
            field.key = _checked_text(key, path)
            _fill(field.value, element, f"{path}.{key}" if path else key, depth + 1)
    else:
        raise TypeError(f"{path or 'the value'}: {type(value).__name__} is not a JSON type")


def _checked_text(text: str, path: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{path or 'the value'}: {text!r} is not valid Unicode text") from error
    return text
