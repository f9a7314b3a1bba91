"""`nni.dump` and `nni.load`: JSON of plain data, and of what numpy makes of it."""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

_ARRAY = "__ndarray__"
_TEXT_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|(?:#|//)[^\r\n]*')

__all__ = ["dump", "load"]


def dump(
    obj: Any,
    fp: IO[str] | None = None,
    *,
    use_trace: bool = True,
    pickle_size_limit: int = 4096,
    allow_nan: bool = True,
    **options: Any,
) -> str:
    """Returns a value as JSON text.

    Args:
        obj: The value: plain data, numpy's numbers, which become numbers, and numpy's arrays.
        fp: The text goes into this file, too.
        use_trace: Ignored; it was for architecture search.
        pickle_size_limit: Ignored: nothing is pickled.
        allow_nan: Whether NaN and infinities are allowed.
        options: Passed on to `json.dumps`, such as indent and sort_keys.

    Raises:
        TypeError: The value holds something else.
        ValueError: `compression` is asked for, or NaN is not allowed.
    """
    if options.pop("compression", None) is not None:
        raise ValueError("nni.dump makes text, which cannot be compressed")
    text = json.dumps(obj, allow_nan=allow_nan, **{"default": _plain, **options})
    if fp is not None:
        fp.write(text)
    return text


def load(
    string: str | None = None,
    *,
    fp: IO[str] | None = None,
    preserve_order: bool = False,
    ignore_comments: bool = True,
    **options: Any,
) -> Any:
    """Returns what a JSON text says.

    Args:
        string: The text.
        fp: The file with the text, in place of it.
        preserve_order: Ignored: dicts keep their order.
        ignore_comments: Whether what follows # or // in a line is left out, unless that is within a text.
        options: Passed on to `json.loads`.

    Raises:
        TypeError: `string` is a file, or there is not exactly one of both.
        ValueError: It is not JSON.
    """
    if hasattr(string, "read"):
        raise TypeError("nni.load takes a file as fp=, its first argument is text")
    if (string is None) == (fp is None):
        raise TypeError("nni.load takes a text, or a file as fp=, and not both")
    text = fp.read() if fp is not None else string or ""
    if ignore_comments:
        text = _TEXT_OR_COMMENT.sub(lambda found: found[0] if found[0].startswith('"') else "", text)
    return json.loads(text, **{"object_hook": _array, **options})


def _plain(value: Any) -> Any:
    if hasattr(value, "shape") and value.shape and hasattr(value, "tolist"):
        return {_ARRAY: value.tolist(), "dtype": str(value.dtype), "shape": list(value.shape)}
    if hasattr(value, "item"):
        return value.item()
    kind = type(value)
    raise TypeError(f"nni.dump is for plain data, and {value!r} is a {kind.__module__}.{kind.__name__}")


def _array(value: dict[str, Any]) -> Any:
    if _ARRAY not in value:
        return value
    import numpy  # only who dumped an array comes here

    return numpy.asarray(value[_ARRAY], dtype=value.get("dtype"))
