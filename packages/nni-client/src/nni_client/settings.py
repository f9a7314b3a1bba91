"""Settings from the environment."""

from __future__ import annotations

import os

CALL_TIMEOUT = "NNI_CALL_TIMEOUT"
"""How many seconds a call may take."""

START_TIMEOUT = "NNI_START_TIMEOUT"
"""How many seconds the manager may take to start."""

DEFAULT_CALL_TIMEOUT = 60.0
"""How many seconds a call may take when nothing else is said."""

RESUME_TIMEOUT = 600.0
"""How many seconds going on with an experiment may take when nothing else is said: its tuner is told all that
it knew once more."""

STOP_TIMEOUT = 600.0
"""How many seconds stopping an experiment may take: its trials have time to save what they have."""


def seconds_from_environment(name: str, default: float | None) -> float | None:
    """Returns the number of seconds that an environment variable says, or the default when it is unset.

    Raises:
        ValueError: The variable holds something else than a number above 0.
    """
    text = os.environ.get(name)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise ValueError(f"environment variable {name} is {text!r}: a number of seconds above 0 is needed")
    return seconds
