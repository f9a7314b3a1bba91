"""A kernel density estimate of points, some of whose coordinates are options of a choice."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
from statsmodels.nonparametric.kernel_density import KDEMultivariate
from statsmodels.nonparametric.kernels import aitchison_aitken

from nni_manager.algorithms.parzen.dimensions import Array, Dimension

_REFERENCE = 1.06
_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)


class Density:
    """The mean of one kernel per point, a product over the coordinates.

    Numbers have normal kernels and choices those of Aitchison and Aitken, 1976; the widths are those of the
    normal reference rule. For choices of more than two options this is not all as in statsmodels: the number
    of options is that of the choice, not of those among the points, and the deviation of the options does not
    depend on their order: sqrt((1 - sum of p^2) / 2), which for two options is the usual one.

    Args:
        rows: The points, more than there are columns.
        columns: What the columns are.
        min_bandwidth: The least width.

    Attributes:
        rows: The points.
        bandwidths: The width of each column.
    """

    def __init__(self, rows: Array, columns: Sequence[Dimension], min_bandwidth: float) -> None:
        self.rows = rows
        self._option_counts = [column.option_count for column in columns]
        types = "".join("u" if count else "c" for count in self._option_counts)
        with warnings.catch_warnings():
            # Releases differ in what they say of random numbers, of which this rule needs none.
            warnings.simplefilter("ignore", FutureWarning)
            estimated = KDEMultivariate(rows, types, bw="normal_reference").bw
        for index in np.flatnonzero(self._option_counts):
            shares = np.unique(rows[:, index], return_counts=True)[1] / len(rows)
            deviation = np.sqrt(max(1 - np.sum(shares**2), 0) / 2)
            estimated[index] = _REFERENCE * deviation * len(rows) ** (-1 / (4 + rows.shape[1]))
        # Where all options are equally likely.
        most = [(count - 1) / count if count else np.inf for count in self._option_counts]
        self.bandwidths: Array = np.minimum(np.maximum(estimated, min_bandwidth), most)

    def log_density(self, points: Array) -> Array:
        """Returns the logarithm of the density at each point."""
        logs = np.zeros((len(points), len(self.rows)))
        for index, count in enumerate(self._option_counts):
            width, centers, numbers = self.bandwidths[index], self.rows[:, index], points[:, index]
            if not count:
                distances = (numbers[:, np.newaxis] - centers) / width
                logs -= 0.5 * distances**2 + (math.log(width) + _LOG_SQRT_2PI)
            elif count > 1:
                options, places = np.unique(numbers, return_inverse=True)
                kernels = [aitchison_aitken(width, centers, option, num_levels=count) for option in options]
                logs += np.log(np.array(kernels))[places]
        highest = logs.max(axis=1)
        result: Array = highest + np.log(np.exp(logs - highest[:, np.newaxis]).mean(axis=1))
        return result
