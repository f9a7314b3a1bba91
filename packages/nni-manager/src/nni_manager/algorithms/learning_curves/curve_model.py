"""Predicts how a learning curve goes on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import leastsq
from scipy.special import ndtr

from nni_manager.algorithms.learning_curves.families import FAMILIES, Family
from nni_manager.algorithms.learning_curves.mixture import Array, sample_weights

_LEAST_CURVES = 4
_LEAST_POINTS = 3
_MOST_POINTS = 100
_MOST_EVALUATIONS = 400
_FAR = 1e6
_SPREAD = 3.0
_NORMAL_QUARTILE = 0.6745


class CurveModel:
    """A mixture of curves that is fitted to the beginning of a learning curve.

    The twelve families are fitted by least squares, those that explain the data and whose predictions are
    close to the median of all predictions are mixed, with weights sampled by a Markov chain.
    Domhan, Springenberg and Hutter, "Speeding up Automatic Hyperparameter Optimization of Deep Neural
    Networks by Extrapolation of Learning Curves", IJCAI 2015.

    Curves are fitted in a scale in which the data lie between 0.1 and 0.9, so any unit and sign will do. Of a
    long history 100 points are fitted, evenly spread, so that a prediction takes a bounded time.

    Args:
        target_pos: The position to predict, counted from 1.
        rng: Random numbers; the same ones each time when it is None.

    Attributes:
        target_pos: The position to predict.
        trial_history: The history of the last prediction.
        point_num: How many results that has.
        effective_model: The names of the families that are mixed.
        effective_model_num: How many they are.
        weight_samples: Sampled weights of these, a set a row.
        spread: The standard deviation of the last prediction, noise included.
    """

    def __init__(self, target_pos: int, rng: np.random.Generator | None = None) -> None:
        self.target_pos = target_pos
        self.trial_history: Sequence[float] = []
        self.point_num = 0
        self.effective_model: list[str] = []
        self.effective_model_num = 0
        self.weight_samples: Any = np.empty((0, 0))
        self.spread = math.nan
        self._rng = np.random.default_rng(0) if rng is None else rng
        self._constants = {name: family.constants for name, family in FAMILIES.items()}
        self._scale, self._offset = 1.0, 0.0
        self._prediction: float | None = None

    def predict(self, trial_history: Sequence[float]) -> float | None:
        """Returns the value at the target, None when too few curves agree on one.

        Args:
            trial_history: The values from position 1 on. Those that are not finite are left out.
        """
        self.trial_history, self.point_num = trial_history, len(trial_history)
        self._mix([])
        self._prediction = None
        history = np.asarray(trial_history, dtype=float)
        positions = np.flatnonzero(np.isfinite(history))
        if len(positions) < _LEAST_POINTS:
            return None
        if len(positions) > _MOST_POINTS:
            positions = positions[np.linspace(0, len(positions) - 1, _MOST_POINTS).round().astype(int)]
        with np.errstate(all="ignore"):
            self._prediction = self._predict(positions.astype(np.float64) + 1, history[positions])
        return self._prediction

    def predict_y(self, model: str, pos: float) -> float:
        """Returns a curve's value.

        Args:
            model: The name of its family.
            pos: The position, from 1.
        """
        with np.errstate(all="ignore"):
            value = FAMILIES[model].function(float(pos), *self._constants[model])
            return float(self._offset + self._scale * value)

    def f_comb(self, pos: float, weights: Sequence[float]) -> float:
        """Returns the value of the mixture.

        Args:
            pos: The position, from 1.
            weights: The weight of each family in `effective_model`.
        """
        curves = (self.predict_y(model, pos) for model in self.effective_model)
        return float(sum(weight * value for weight, value in zip(weights, curves, strict=True)))

    def probability_above(self, value: float) -> float:
        """Returns how likely the value at the target is above another.

        Raises:
            ValueError: Nothing was predicted.
        """
        if self._prediction is None:
            raise ValueError("there is no prediction: predict() returned None, or was not called")
        if self.spread == 0.0:
            return float(self._prediction > value)
        return float(ndtr((self._prediction - value) / self.spread))

    def _predict(self, positions: Array, values: Array) -> float | None:
        lowest, highest = float(values.min()), float(values.max())
        if lowest == highest:
            self.spread = 0.0
            return lowest
        self._scale = (highest - lowest) / 0.8
        self._offset = lowest - 0.1 * self._scale
        if not math.isfinite(self._scale):
            return None
        scaled = (values - self._offset) / self._scale
        fits = _fit_all(positions, scaled, self.target_pos)
        self._constants |= {name: fit.constants for name, fit in fits.items()}
        ends = np.array([positions[0], self.target_pos, *positions])
        curves = {name: FAMILIES[name].function(ends, *self._constants[name]) for name in FAMILIES}
        # A mean square error below that of the mean, or small beside the level of the values.
        bound = max(0.5 * float(scaled.var()), (float(values.mean()) / self._scale) ** 2)
        fitted = {
            name: curve
            for name, curve in curves.items()
            if np.isfinite(curve[1:]).all() and np.mean((curve[2:] - scaled) ** 2) < bound
        }
        models, distance = _close_to_median({name: float(curve[1]) for name, curve in fitted.items()})
        self._mix(models)
        if self.effective_model_num < _LEAST_CURVES:
            return None
        mixed = np.column_stack([fitted[name] for name in self.effective_model])
        rise = np.nan_to_num(mixed[1] - mixed[0], nan=0.0, posinf=0.0, neginf=0.0)
        self.weight_samples = weights = sample_weights(mixed[2:], scaled, rise, self._rng)
        at_target = weights @ mixed[1]
        # That of the samples, of the curves that were fitted, of their constants, and the noise.
        variances = np.array([fits[name].variance for name in self.effective_model])
        variance = float(
            at_target.var()
            + distance**2
            + np.mean(weights @ variances)
            + np.mean((weights @ mixed[2:].T - scaled) ** 2)
        )
        self.spread = self._scale * math.sqrt(variance)
        return self._offset + self._scale * float(at_target.mean())

    def _mix(self, models: list[str]) -> None:
        self.effective_model, self.effective_model_num = models, len(models)


@dataclass(frozen=True)
class _Fit:
    """A family fitted to values.

    Attributes:
        constants: NaN where there are fewer values than constants.
        variance: How uncertain the constants make the value at the target.
    """

    constants: tuple[float, ...]
    variance: float


def _fit_all(positions: Array, values: Array, target: float) -> dict[str, _Fit]:
    fits = {}
    for name, family in FAMILIES.items():
        # There is no logarithm to divide by at position 1.
        used = positions > 1.0 if name == "ilog2" else positions > 0.0
        fits[name] = _fit(family, positions[used], values[used], target)
    return fits


def _fit(family: Family, positions: Array, values: Array, target: float) -> _Fit:
    def residuals(constants: Array) -> Array:
        distances: Array = family.function(positions, *constants) - values
        distances[~np.isfinite(distances)] = _FAR
        return distances

    freedom = len(values) - len(family.constants)
    if freedom < 0:
        return _Fit((math.nan,) * len(family.constants), 0.0)
    found, covariance, details, *_ = leastsq(
        residuals, family.constants, maxfev=_MOST_EVALUATIONS, full_output=True
    )
    if covariance is None:
        return _Fit(tuple(found.tolist()), 0.0)
    steps = 1e-6 * np.maximum(np.abs(found), 1e-3)
    at = family.function(target, *found)
    slopes = [(family.function(target, *(found + step)) - at) / step.sum() for step in np.diag(steps)]
    noise = float(np.sum(details["fvec"] ** 2)) / max(freedom, 1)
    return _Fit(tuple(found.tolist()), float(np.array(slopes) @ covariance @ np.array(slopes)) * noise)


def _close_to_median(predictions: dict[str, float]) -> tuple[list[str], float]:
    """Returns the names of the predictions near the median, and the standard deviation of them all.

    The latter is estimated by the median distance, which a few that are far off do not change.
    """
    if not predictions:
        return [], 0.0
    values = np.array(list(predictions.values()))
    median = float(np.median(values))
    deviation = float(np.median(np.abs(values - median))) / _NORMAL_QUARTILE
    near = [name for name, value in predictions.items() if abs(value - median) <= _SPREAD * deviation]
    return near, deviation
