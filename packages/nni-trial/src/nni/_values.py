"""Turns what a script reports into what JSON and the protocol can hold."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Tuple

    Path = Tuple[Any, ...]

MAX_DEPTH = 30
"""How deep lists and dicts may be nested."""

_INT64 = range(-(2**63), 2**63)


def plain(value: Any, path: Path = (), depth: int = 0) -> Any:
    """Returns a value with nothing in it but None, bool, int, float, str, list and dict with text keys.

    One-element arrays and tensors become numbers. Keys that are numbers, booleans or None become text as
    Python's json writes them.

    Args:
        value: The value.
        path: Where it is inside the reported value.
        depth: How many lists and dicts are around it.

    Raises:
        TypeError: It holds something that JSON cannot; the text names where.
        ValueError: It is nested too deep, or holds an integer beyond 64 bits, text that is not valid Unicode,
            or two keys that become the same text; the text names where.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        number = int(value)  # a range searches itself for a subclass of int, one number at a time
        if number not in _INT64:
            raise ValueError(f"{_place(path)}: the integer {number} does not fit in 64 bits")
        return number
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, (list, tuple, dict)):
        if depth >= MAX_DEPTH:
            raise ValueError(f"{_place(path[:1])}: nested more than {MAX_DEPTH} levels deep")
        if isinstance(value, dict):
            return _object(value, path, depth)
        return [plain(element, (*path, index), depth + 1) for index, element in enumerate(value)]
    return plain(_single_element(value, path), path, depth)


def has_number(value: Any) -> bool:
    """Returns whether a plain value is a number, or a dict with a number under "default"."""
    if isinstance(value, dict):
        value = value.get("default")
    return isinstance(value, (int, float))


def _object(value: dict[Any, Any], path: Path, depth: int) -> dict[str, Any]:
    result = {}
    for key, element in value.items():
        text = _key(key, path)
        if text in result:
            raise ValueError(f"{_place(path)}: two keys become the text {text!r}")
        result[text] = plain(element, (*path, key), depth + 1)
    return result


def _key(key: Any, path: Path) -> str:
    if isinstance(key, str):
        return _text(key, path)
    if hasattr(key, "item"):
        key = _single_element(key, (*path, key))
    if key is None or isinstance(key, (bool, int, float)):
        import json

        return json.dumps(key)
    raise TypeError(f"{_place(path)}: the key {key!r} is a {_type_name(key)}, and JSON keys are text")


def _text(text: str, path: Path) -> str:
    text = str.__str__(text)
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError(f"{_place(path)}: {text!r} is not valid Unicode text") from None
    return text


def _single_element(value: Any, path: Path) -> Any:
    """Returns the one element of an array or tensor (numpy, torch, JAX; TensorFlow's by way of numpy)."""
    kind = _type_name(value)
    if not hasattr(value, "item") and not hasattr(value, "numpy"):
        raise TypeError(f"{_place(path)}: {kind} is not a type that JSON can hold")
    try:
        element = value.item() if hasattr(value, "item") else value.numpy().item()
        # What has no Python type of its own, such as numpy's longdouble, gives itself.
        return float(element) if hasattr(element, "item") else element
    except Exception as error:
        shape = getattr(value, "shape", None)
        size = f" of shape {tuple(shape)}" if isinstance(shape, (tuple, list)) else ""
        raise TypeError(
            f"{_place(path)}: a {kind}{size} is not one number ({error}). "
            "Report one element of it, or all of them as a list with .tolist()"
        ) from error


def _place(path: Path) -> str:
    return "the value" + "".join(f"[{key!r}]" for key in path)


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
