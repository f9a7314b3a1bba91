"""Ids of experiments."""

from __future__ import annotations

import random
import string

_ALPHABET = string.ascii_lowercase + string.digits


def new_experiment_id() -> str:
    """Returns a new id: 8 different characters of a-z and 0-9."""
    # Not the seedable generator: scripts that set a seed would all get the same id.
    return "".join(random.SystemRandom().sample(_ALPHABET, 8))
