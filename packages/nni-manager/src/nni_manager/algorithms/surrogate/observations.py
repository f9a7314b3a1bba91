"""The finished trials that a model is made of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nni_manager.algorithms.parzen.dimensions import Array

_EQUAL = 1e-13
_OUTLIER = 5.0


def bounded_subset(losses: Array, most: int) -> npt.NDArray[np.intp]:
    """Returns the indices of at most so many trials, in their order: all, or a third of each kind.

    The kinds are the best ones, the newest ones, and ones spread evenly over the ranking of the others.
    """
    if len(losses) <= most:
        return np.arange(len(losses))
    third = most // 3
    newest = np.arange(len(losses) - third, len(losses))
    ranking = np.argsort(losses, kind="stable")
    ranking = ranking[~np.isin(ranking, newest)]
    rest = ranking[third:]
    spread = rest[np.linspace(0, len(rest) - 1, most - 2 * third).astype(int)]
    return np.sort(np.concatenate([newest, ranking[:third], spread]))


def standardised(losses: Array) -> tuple[Array, float]:
    """Returns losses with mean 0 and variance 1, and the standard deviation that they were divided by.

    An infinite loss, that of NaN being one, counts as the worst finite one, minus infinity as the best. One
    that is further above the median than five times the best is below it counts as that far, so that a few
    very bad trials do not make all others look the same.
    """
    finite = losses[np.isfinite(losses)]
    if not len(finite):
        return np.where(losses > 0, 1.0, -1.0), 1.0
    # Sums and squares of very large losses would be infinite.
    unit = float(np.abs(finite).max()) or 1.0
    best, median, worst = np.quantile(finite / unit, [0.0, 0.5, 1.0])
    if best < median:
        worst = min(worst, median + _OUTLIER * (median - best))
    scaled = np.clip(np.clip(losses, -unit, unit) / unit, best, worst)
    deviation = float(scaled.std())
    if deviation < _EQUAL:
        return np.zeros(len(losses)), 1.0
    return (scaled - scaled.mean()) / deviation, deviation * unit
