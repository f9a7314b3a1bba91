"""The finished trials as growing arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nni_manager.algorithms.parzen.dimensions import Array


class History:
    """Rows with their losses, in the order in which they came."""

    def __init__(self, column_count: int) -> None:
        self.count = 0
        self._rows = np.empty((0, column_count))
        self._losses = np.empty(0)

    @property
    def rows(self) -> Array:
        """The points."""
        return self._rows[: self.count]

    @property
    def losses(self) -> Array:
        """Their losses, the smaller the better."""
        return self._losses[: self.count]

    def append(self, row: Array, loss: float) -> None:
        """Adds a finished trial."""
        if self.count == len(self._losses):
            room = max(64, self.count)
            self._rows = np.concatenate([self._rows, np.empty((room, self._rows.shape[1]))])
            self._losses = np.concatenate([self._losses, np.empty(room)])
        self._rows[self.count] = row
        self._losses[self.count] = loss
        self.count += 1

    def best(self, count: int) -> npt.NDArray[np.intp]:
        """Returns the indices of the trials with the smallest losses, in the order in which they came."""
        if count >= self.count:
            return np.arange(self.count)
        return np.sort(np.argpartition(self.losses, count)[:count])
