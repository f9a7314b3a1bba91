"""Durations such as "1.5h"."""

from __future__ import annotations

import math
import re

from nni_config.names import short

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_TEXT = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)
LONGEST = 36500 * _UNITS["d"]
"""The longest duration, in seconds: 100 years."""
_ALLOWED = (
    'allowed is a number of seconds above 0, or text with a unit of d, h, m or s such as "90m" or "1.5h"'
)


def parse_duration(duration: str | int | float) -> float:
    """Returns a duration in seconds.

    Args:
        duration: A number of seconds, or text: a number and one of the units d, h, m, s.

    Raises:
        ValueError: It is not a duration, not above 0, or longer than 100 years.
    """
    if isinstance(duration, str):
        seconds = _seconds_of_text(duration)
    elif isinstance(duration, (int, float)) and not isinstance(duration, bool):
        seconds = float(duration)
    else:
        raise ValueError(f"{short(duration)} is not a duration; {_ALLOWED}")
    if not seconds > 0:
        raise ValueError(f"{short(duration)} is not above 0; {_ALLOWED}")
    if seconds > LONGEST:
        raise ValueError(f"{short(duration)} is more than 100 years; {_ALLOWED}")
    return seconds


def _seconds_of_text(text: str) -> float:
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(f"{short(text)} is not a duration; {_ALLOWED}")
    number, unit = match.groups()
    if unit.lower() not in _UNITS:
        problem = f"has the unit {unit!r}" if unit else "has no unit"
        raise ValueError(f"{short(text)} {problem}; {_ALLOWED}")
    seconds = float(number) * _UNITS[unit.lower()]
    return seconds if math.isfinite(seconds) else math.inf
