"""Ids of experiments."""

from __future__ import annotations

import random
import re
import string

EXPERIMENT_ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,32}")
"""What an id may look like; the protocol allows the same in its names."""

_ALPHABET = string.ascii_lowercase + string.digits


def new_experiment_id() -> str:
    """Returns a new id: 8 different characters of a-z and 0-9."""
    # Not the seedable generator: scripts that set a seed would all get the same id.
    return "".join(random.SystemRandom().sample(_ALPHABET, 8))
