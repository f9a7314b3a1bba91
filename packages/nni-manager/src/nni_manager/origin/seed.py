"""The seed of the tuner's random numbers."""

from __future__ import annotations

import secrets

from nni_config import AlgorithmConfig

from nni_manager.algorithms.registry import find_algorithm

_SEEDS = 2**31


def tuner_seed(tuner: AlgorithmConfig | None) -> int | None:
    """Returns the seed that a tuner is to have: the one in its arguments, else a drawn one.

    None for a tuner that takes no seed, and for one of the user's own whose arguments have none.

    Args:
        tuner: The tuner's part of a valid configuration.
    """
    if tuner is None:
        return None
    given = (tuner.class_args or {}).get("seed")
    if isinstance(given, int) and not isinstance(given, bool):
        return given if -(2**63) <= given < 2**63 else None
    if given is not None or tuner.name is None or getattr(tuner, "class_name", None):
        return None
    takes_seed = "seed" in find_algorithm("tuner", tuner.name).arguments
    return secrets.randbelow(_SEEDS) if takes_seed else None
