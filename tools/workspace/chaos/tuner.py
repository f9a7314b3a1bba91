"""A tuner whose every answer depends on all that it was told before: one that was rebuilt wrongly shows."""

from __future__ import annotations

import hashlib
import random
from typing import Any

from nni.tuner import Tuner


class SeededTuner(Tuner):
    """Draws x from a seed, the id of the parameters, and everything it heard, in order."""

    def __init__(self, seed: int) -> None:
        self._heard = hashlib.sha256(str(seed).encode())

    def update_search_space(self, search_space: Any) -> None:
        """Hears the search space."""
        self._hear("space", search_space)

    def generate_parameters(self, parameter_id: int, **_: Any) -> dict[str, float]:
        """Returns parameters."""
        self._hear("asked", parameter_id)
        return {"x": random.Random(self._heard.hexdigest()).random()}

    def receive_trial_result(self, parameter_id: int, parameters: Any, value: Any, **_: Any) -> None:
        """Hears a result."""
        self._hear("result", parameter_id, parameters, value)

    def trial_end(self, parameter_id: int, success: bool, **_: Any) -> None:
        """Hears of the end of a trial."""
        self._hear("end", parameter_id, success)

    def _hear(self, *what: Any) -> None:
        self._heard.update(repr(what).encode())
