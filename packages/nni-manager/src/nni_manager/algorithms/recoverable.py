"""What tuners and assessors have in common: files that outlive them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class Recoverable:
    """Base class of algorithms that may be rebuilt.

    Attributes:
        recovered_max_param_id: The highest parameter id of an earlier life, -1 when there is none.
        recovered_trial_params: The parameters of an earlier life by their id.
    """

    recovered_max_param_id: int = -1
    recovered_trial_params: dict[int, Any]

    def __init__(self) -> None:
        self.recovered_max_param_id = -1
        self.recovered_trial_params = {}

    def load_checkpoint(self) -> None:
        """Restores what `save_checkpoint` saved. A subclass may override this; it does nothing here."""

    def save_checkpoint(self) -> None:
        """Saves the algorithm's state. A subclass may override this; it does nothing here."""

    def get_checkpoint_path(self) -> str | None:
        """Returns the folder where an algorithm may keep files, or None when there is none."""
        path = os.environ.get("NNI_CHECKPOINT_DIRECTORY")
        return path if path is not None and Path(path).is_dir() else None

    def recover_parameter_id(self, data: Any) -> int:
        """Notes the parameters of an earlier life.

        Args:
            data: A parameter record, its JSON text, or a list of either. Records whose `parameter_id` is
                not an integer are skipped.

        Returns:
            The highest parameter id, at least 0.
        """
        records = data if isinstance(data, list) else [data]
        parameters: dict[int, Any] = {}
        for item in records:
            record = json.loads(item) if isinstance(item, str) else item
            parameter_id = record.get("parameter_id") if isinstance(record, dict) else None
            if isinstance(parameter_id, int):
                parameters[parameter_id] = record.get("parameters")
        self.recovered_trial_params = parameters
        self.recovered_max_param_id = max(parameters, default=0)
        return self.recovered_max_param_id

    def is_created_in_previous_exp(self, param_id: Any) -> bool:
        """Returns whether a parameter id is of an earlier life; False for None and for what is no number."""
        return isinstance(param_id, int) and param_id <= self.recovered_max_param_id

    def get_previous_param(self, param_id: int) -> Any:
        """Returns the parameters of an earlier life by their id, None when unknown."""
        return self.recovered_trial_params.get(param_id)
