"""JSON text as Python's json reads and writes it, mostly without importing json.

That import brings re, enum and functools, and costs more than everything else the SDK does in a trial that
only asks and reports. The C code behind it does the work alone. Where that is missing (it is an
implementation detail of CPython) or anything is unusual, json is asked, so that results and errors are its.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CONSTANTS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


class _Context:
    """What json.JSONDecoder tells the C code, with its defaults."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = _CONSTANTS.__getitem__
    memo: dict[str, str] = {}


_scan: Any = None
_encode: Any = None
try:
    _c: Any = __import__("_json")
    _scan = _c.make_scanner(_Context)
    _encode = _c.make_encoder(None, None, _c.encode_basestring_ascii, None, ":", ",", False, False, True)
except Exception:
    pass


def loads(text: str) -> Any:
    """Returns what a JSON text says.

    Raises:
        ValueError: It is not JSON.
    """
    if _scan is not None and "json" not in sys.modules:
        try:
            value, end = _scan(text, 0)
            if not text[end:].strip(" \t\r\n"):
                return value
        except Exception:
            pass  # json says it better
    import json

    return json.loads(text)


def dumps(value: Any) -> str:
    """Returns a value of None, booleans, numbers, texts, lists and dicts as JSON text without blanks."""
    if _encode is not None and "json" not in sys.modules:
        return "".join(_encode(value, 0))
    import json

    return json.dumps(value, separators=(",", ":"))
