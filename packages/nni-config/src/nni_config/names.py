"""How names of fields are compared, written and guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nni_config.secrets import without_secrets

PathStep = str | int
"""A key or an index on the way to a value."""

_PLAIN_KEY = re.compile(r"[\w-]+")
_LONGEST_GUESSED = 60


def comparable(name: str) -> str:
    """Returns a name without its case and underscores: what two spellings of a field have in common."""
    return name.replace("_", "").lower()


def camel_case(name: str) -> str:
    """Returns the YAML spelling of a field: trial_command becomes trialCommand."""
    if name.startswith("_"):
        return name
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def in_style_of(written: str, name: str) -> str:
    """Returns a field's name in snake_case or camelCase, whichever `written` is in."""
    is_camel = "_" not in written and written.lower() != written
    return camel_case(name) if is_camel else name


def closest(name: str, candidates: Iterable[str], similarity: float = 0.7) -> str | None:
    """Returns the candidate that was probably meant, or None.

    Args:
        name: What was written.
        candidates: What may be written.
        similarity: How alike they must be, from 0 to 1.
    """
    from difflib import get_close_matches

    if len(name) > _LONGEST_GUESSED:
        return None
    by_spelling = {comparable(candidate): candidate for candidate in candidates}
    matches = get_close_matches(comparable(name), list(by_spelling), n=1, cutoff=similarity)
    return by_spelling[matches[0]] if matches else None


def path_text(path: Sequence[PathStep]) -> str:
    """Returns a path as text, for example layer._value[0]. Keys with odd characters are quoted."""
    text = ""
    for step in path:
        if isinstance(step, int) or not _PLAIN_KEY.fullmatch(step):
            text += f"[{step!r}]"
        else:
            text += f".{step}" if text else step
    return text


def short(value: object, limit: int = 60) -> str:
    """Returns a value for a message, cut where it is long and without the secrets in it."""
    if isinstance(value, (list, tuple, set)) and len(value) > limit:
        return f"a {type(value).__name__} of {len(value)} elements"
    text = repr(without_secrets(value))
    return text if len(text) <= limit else text[: limit - 3] + "..."
