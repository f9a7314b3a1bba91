"""Settings from the environment."""

from __future__ import annotations

import os

CALL_TIMEOUT = "NNI_CALL_TIMEOUT"
"""How many seconds a call may take."""

START_TIMEOUT = "NNI_START_TIMEOUT"
"""How many seconds the manager may take to start."""

DEFAULT_CALL_TIMEOUT = 60.0
"""How many seconds a call may take when nothing else is said."""

BEGIN_TIMEOUT = 600.0
"""How many seconds beginning an experiment may take when nothing else is said: code is sent to machines."""

RESUME_TIMEOUT = 600.0
"""How many seconds going on with an experiment may take when nothing else is said: its tuner is told all that
it knew once more."""

STOP_TIMEOUT = 600.0
"""How many seconds stopping an experiment may take at least: its trials have time to save what they have."""

HOW_CALL_LIMITS_ARE_SET = (
    f"The environment variable {CALL_TIMEOUT}, or `call_timeout` of an Experiment in Python, sets the limit "
    "in seconds."
)
"""What is said of a call that took too long."""


def seconds_from_environment(name: str) -> float | None:
    """Returns the number of seconds that an environment variable says, None when it is unset.

    Raises:
        ValueError: The variable holds something else than a number above 0.
    """
    text = os.environ.get(name)
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise ValueError(f"environment variable {name} is {text!r}: a number of seconds above 0 is needed")
    return seconds
