"""SMAC's random forest, and the expected improvement in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ConfigSpace import (
    CategoricalHyperparameter,
    ConfigurationSpace,
    EqualsCondition,
    UniformFloatHyperparameter,
)
from scipy.special import ndtr
from smac.model.random_forest import RandomForest

from nni_manager.algorithms.hpo_utils.parameter_spec import ParameterKey, ParameterSpec
from nni_manager.algorithms.parzen.dimensions import Array, Dimensions

_PERCENTILE = 5
_SMALL = 1e-10


class Columns:
    """A search space as ConfigSpace has it: options, and numbers from 0 to 1, some of them conditional.

    Args:
        dimensions: The search space as rows.
        space: The formatted search space.

    Attributes:
        configuration_space: The parameters that have more than one value.
    """

    def __init__(self, dimensions: Dimensions, space: Mapping[ParameterKey, ParameterSpec]) -> None:
        specs = list(space.values())
        names = {spec.key: f"parameter{index}" for index, spec in enumerate(specs)}
        self.configuration_space = ConfigurationSpace()
        varied = {spec.key: _hyperparameter(names[spec.key], spec) for spec in specs if not spec.is_fixed()}
        self.configuration_space.add(*varied.values())
        for key, parameter in varied.items():
            # Whether the parent is active itself, its own condition says.
            depth = max((index for index, part in enumerate(key) if isinstance(part, int)), default=0)
            parent = varied.get(key[:depth])
            if parent is not None:
                self.configuration_space.add(EqualsCondition(parameter, parent, key[depth]))
        positions = {names[spec.key]: index for index, spec in enumerate(specs)}
        self._order = [positions[name] for name in self.configuration_space]
        columns = [dimensions.columns[index] for index in self._order]
        self._normal = [
            index for index, column in enumerate(columns) if not column.option_count and not column.is_bounded
        ]

    def of(self, rows: Array) -> Array:
        """Returns the rows in the order of the configuration space, normal parameters as quantiles."""
        ordered = rows[:, self._order]
        ordered[:, self._normal] = ndtr(ordered[:, self._normal])
        return ordered


class Forest:
    """A random forest of results, and what is known of it about points.

    Args:
        columns: The search space.
        rows: The points.
        losses: Their results.
        running: Points whose results are not known yet; they count as ordinary ones.
        seed: The seed of the forest.
    """

    def __init__(self, columns: Columns, rows: Array, losses: Array, running: Array, seed: int) -> None:
        self._columns = columns
        # As SMAC3 has it for hyper-parameters. Without a limit on leaves trees are made much faster.
        self._model = RandomForest(
            columns.configuration_space,
            log_y=True,
            ratio_features=1.0,
            min_samples_split=2,
            min_samples_leaf=1,
            max_leaf_nodes=None,  # type: ignore[arg-type]
            n_jobs=1,
            seed=seed,
        )
        targets = log_scaled(losses)
        targets = np.append(targets, np.full(len(running), targets.mean()))
        self._model.train(columns.of(np.concatenate([rows, running])), targets[:, np.newaxis])
        # The best point by the forest itself, as results may be noisy.
        self._best = float(self._mean_and_variance(rows)[0].min())

    def improvement(self, rows: Array) -> Array:
        """Returns the expected improvement at points, of results whose logarithms the forest predicts.

        Hutter et al., "An Experimental Investigation of Model-Based Parameter Optimisation", GECCO 2009.
        """
        mean, variance = self._mean_and_variance(rows)
        deviation = np.sqrt(variance)
        z = (self._best - mean) / deviation
        improvement = np.exp(self._best) * ndtr(z) - np.exp(mean + variance / 2) * ndtr(z - deviation)
        return np.asarray(np.maximum(improvement, 0.0))

    def _mean_and_variance(self, rows: Array) -> tuple[Array, Array]:
        mean, variance = self._model.predict_marginalized(self._columns.of(rows))
        return mean[:, 0], variance[:, 0]


def log_scaled(losses: Array) -> Array:
    """Returns losses scaled to 0..1 and their logarithms, as SMAC's encoder for log-scaled costs does.

    What is beyond every float counts as the worst or the best that is not.
    """
    finite = losses[np.isfinite(losses)]
    if not len(finite):
        return np.where(losses > 0, 0.0, -1.0)
    bounded = np.clip(losses, finite.min(), finite.max())
    with np.errstate(over="ignore"):
        scale = max(float(np.abs(bounded).max()), 1.0)
    bounded = bounded / scale
    low = 2 * bounded.min() - np.percentile(bounded, _PERCENTILE) - _SMALL
    scaled: Array = np.log((bounded - low) / (bounded.max() - low))
    return scaled


def _hyperparameter(name: str, spec: ParameterSpec) -> Any:
    if spec.type == "choice":
        return CategoricalHyperparameter(name, range(spec.size or 1))
    return UniformFloatHyperparameter(name, 0.0, 1.0)
