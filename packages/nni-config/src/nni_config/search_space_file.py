"""Reads files that hold a search space: JSON, also with comments and trailing commas, or YAML."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from nni_config.names import short
from nni_config.origin import Origin

_LARGE = 200_000
"""From how many bytes on finding lines would take longer than it is worth."""

_COMMENT_OR_TEXT = re.compile(r'"(?:\\.|[^"\\])*"|(?<![:\w/])(?://[^\n]*|/\*.*?\*/)', re.DOTALL)

_TRAILING_COMMA_OR_TEXT = re.compile(r'"(?:\\.|[^"\\])*"|(?<=[^\[{,\s])\s*,(?=\s*[}\]])')


class _DoubleKeyError(ValueError):
    """An object has a key twice."""


def read_search_space(path: Path) -> Any:
    """Returns what a JSON or YAML file holds.

    Raises:
        ValueError: It cannot be read, is neither, or has a key twice.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise _failure(path, str(error.strerror)) from None
    except UnicodeDecodeError as error:
        raise _failure(path, f"byte {error.start + 1} is not UTF-8") from None
    text = _without_comments(text)
    try:
        return _json_value(text)
    except _DoubleKeyError as error:
        raise _failure(path, str(error)) from None
    except ValueError as json_error:
        from nni_config.yaml_file import yaml_of_text

        document = yaml_of_text(text, path)
        if document.problems:
            yaml_problems = "; ".join(str(problem) for problem in document.problems)
            reasons = f"it is not JSON ({json_error}), and as YAML: {yaml_problems}"
            raise _failure(path, reasons) from None
        return document.value


def search_space_origin(path: Path) -> Origin:
    """Returns where the parts of a search space stand in its file; in a large one, only which file it is."""
    if path.stat().st_size < _LARGE:
        from nni_config.yaml_file import yaml_of_text

        # JSON is YAML but for tabs, with which it ends up without lines.
        return yaml_of_text(_without_comments(path.read_bytes().decode("utf-8-sig")), path).origin
    return Origin(str(path), {}, {})


def _failure(path: Path, reason: str) -> ValueError:
    return ValueError(f'Failed to load search space file "{path}": {reason}')


def _json_value(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object)
    except _DoubleKeyError:
        raise
    except ValueError:
        without = _TRAILING_COMMA_OR_TEXT.sub(_blank_of_comma, text)
        if without == text:
            raise
        return json.loads(without, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        double = next(key for key in keys if keys.count(key) > 1)
        raise _DoubleKeyError(f"the key {short(double)} is given twice in one object; allowed is once")
    return result


def _without_comments(text: str) -> str:
    """Returns JSON with blanks in place of comments, so that every line stays where it was."""
    blank = _COMMENT_OR_TEXT.sub(_blank_of_comment, text) if "//" in text or "/*" in text else text
    # In YAML, // and /* are ordinary text.
    return blank if blank.lstrip()[:1] in ("{", "[") else text


def _blank_of_comment(match: re.Match[str]) -> str:
    found = match.group()
    return found if found.startswith('"') else re.sub(r"[^\n]", " ", found)


def _blank_of_comma(match: re.Match[str]) -> str:
    found = match.group()
    return found if found.startswith('"') else found.replace(",", " ")
