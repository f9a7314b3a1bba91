"""Exploration around known parameters.

Jaderberg et al., "Population Based Training of Neural Networks", 2017, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from nni_manager.algorithms.hpo_utils.formatting import choice_of, value_of
from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters, ParameterKey, ParameterSpec
from nni_manager.algorithms.tuners.random import suggest_parameter


def perturbed(
    chosen: Mapping[ParameterKey, Any],
    space: Mapping[ParameterKey, ParameterSpec],
    rng: np.random.Generator,
    factor: float,
    resample_probability: float,
) -> FormattedParameters:
    """Returns parameters near known ones: each is drawn anew or goes a step up or down.

    What belongs to an option that was not chosen before is drawn.

    Args:
        chosen: The known parameters, which may lack some.
        space: The search space.
        rng: The random numbers.
        factor: How far a step goes: a part of the range, or of the standard deviation.
        resample_probability: How probable it is that a parameter is drawn anew.
    """
    result: FormattedParameters = {}
    for key, spec in space.items():
        if not spec.is_activated_in(result):
            continue
        if key not in chosen or rng.random() < resample_probability:
            result[key] = suggest_parameter(rng, spec)
        else:
            result[key] = step(spec, chosen[key], 1 if rng.random() < 0.5 else -1, factor)
    return result


def completed(
    chosen: Mapping[ParameterKey, Any], space: Mapping[ParameterKey, ParameterSpec], rng: np.random.Generator
) -> FormattedParameters:
    """Returns known parameters with those that they lack drawn."""
    result: FormattedParameters = {}
    for key, spec in space.items():
        if spec.is_activated_in(result):
            result[key] = chosen[key] if key in chosen else suggest_parameter(rng, spec)
    return result


def step(spec: ParameterSpec, chosen: Any, way: int, factor: float) -> Any:
    """Returns what was chosen for a parameter, one step further and within the search space.

    Options and integers go to their neighbour, quantised types to the next multiple of q, others by a part of
    their range (of sigma for the normal types), log types by a part of the range of the logarithm.

    Args:
        spec: The parameter.
        chosen: An index, or a number that is a logarithm for log types.
        way: 1 for a step up, -1 for one down.
        factor: The part.
    """
    if spec.categorical:
        return min(max(chosen + way, 0), (spec.size or 1) - 1)
    if spec.q is not None:
        return _next_multiple(spec, spec.q, chosen, way)
    if spec.normal_distributed:
        return chosen + way * factor * (spec.sigma or 0.0)
    low, high = spec.low or 0.0, spec.high or 0.0
    return min(max(chosen + way * factor * (high - low), low), high)


def _next_multiple(spec: ParameterSpec, q: float, chosen: float, way: int) -> Any:
    quotient = value_of(spec, chosen) / q
    if not math.isfinite(quotient):
        return chosen
    number = (round(quotient) + way) * q
    if spec.clip is not None:
        number = min(max(number, spec.clip[0]), spec.clip[1])
    elif spec.log_distributed:
        number = max(number, 0.0)
    return choice_of(spec, number)
