"""Between what a tuner chooses and what a trial gets.

What a trial gets never holds numpy types. Values of randint, and those of a quantized type whose `_value`
is all integers, are int; those of every other numeric type are float; an option of a choice comes as it is.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from nni_manager.algorithms.hpo_utils.parameter_spec import (
    FormattedParameters,
    ParameterKey,
    ParameterSpec,
    is_nested_choice,
)

_LARGEST_LOGARITHM = math.log(sys.float_info.max)


def deformat_parameters(
    formatted_parameters: Mapping[ParameterKey, Any],
    formatted_search_space: Mapping[ParameterKey, ParameterSpec],
) -> dict[str, Any]:
    """Returns what a trial gets.

    Args:
        formatted_parameters: What was chosen, by key.
        formatted_search_space: What `format_search_space` returned.

    Returns:
        The values by name. An option of a nested choice is a dict of its `_name` and the values in it.
    """
    result: dict[str, Any] = {}
    for key, spec in formatted_search_space.items():
        if key not in formatted_parameters or not spec.is_activated_in(formatted_parameters):
            continue
        container = result
        for part in key[:-1]:
            if isinstance(part, str):
                container = container.setdefault(part, {})
        container[spec.name] = value_of(spec, formatted_parameters[key])
    return result


def format_parameters(
    parameters: Mapping[str, Any], formatted_search_space: Mapping[ParameterKey, ParameterSpec]
) -> FormattedParameters:
    """Returns what was chosen for a trial to get these parameters: the inverse of `deformat_parameters`.

    Raises:
        ValueError: A parameter is missing, or its value is not in the search space.
    """
    result: FormattedParameters = {}
    for key, spec in formatted_search_space.items():
        if spec.is_activated_in(result):
            result[key] = choice_of(spec, _find(parameters, key))
    return result


def format_known_parameters(
    parameters: Mapping[str, Any], formatted_search_space: Mapping[ParameterKey, ParameterSpec]
) -> FormattedParameters:
    """Returns what `format_parameters` does, without the parameters that are missing or out of the space."""
    result: FormattedParameters = {}
    for key, spec in formatted_search_space.items():
        if spec.is_activated_in(result):
            with contextlib.suppress(ValueError):
                result[key] = choice_of(spec, _find(parameters, key))
    return result


def value_of(spec: ParameterSpec, chosen: Any) -> Any:
    """Returns the value that a trial gets for what was chosen."""
    if spec.categorical:
        return _option(spec, int(chosen))
    number = float(chosen)
    if spec.log_distributed:
        number = math.exp(min(number, _LARGEST_LOGARITHM))
    if spec.q is not None:
        quotient = number / spec.q
        number = (round(quotient) if math.isfinite(quotient) else quotient) * spec.q
    if not spec.normal_distributed:
        number = min(max(number, spec.values[0]), spec.values[1])
    is_integer = spec.q is not None and abs(number) < 2**63 and has_integer_values(spec)
    return int(number) if is_integer else float(number)


def choice_of(spec: ParameterSpec, value: Any) -> Any:
    """Returns what was chosen for a trial to get this value.

    Raises:
        ValueError: The value is not one of the parameter.
    """
    if spec.type == "choice":
        return _option_index(spec, value)
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"{name_of(spec.key)!r} is {value!r}, not a number")
    number = float(value)
    inside = bool(spec.normal_distributed) or spec.values[0] <= number <= spec.values[1]
    if spec.type == "randint":
        if not number.is_integer() or not inside or number == spec.values[1]:
            raise ValueError(_out_of_range(spec, value))
        return int(number) - math.ceil(spec.values[0])
    if spec.log_distributed and spec.q is not None and number == 0:
        # Rounded down to 0, which has no logarithm.
        number = spec.q / 2
    if not inside or (spec.log_distributed and number <= 0):
        raise ValueError(_out_of_range(spec, value))
    return math.log(number) if spec.log_distributed else number


def has_integer_values(spec: ParameterSpec) -> bool:
    """Returns whether the values of a numeric parameter are int."""
    # Asking for the exact type first is what makes this fast.
    return all(type(v) is int or isinstance(v, Integral) for v in spec.values)


def name_of(key: ParameterKey) -> str:
    """Returns a key as people write it: `layer.kernel`, the indices of options left out."""
    return ".".join(part for part in key if isinstance(part, str))


def _find(parameters: Mapping[str, Any], key: ParameterKey) -> Any:
    found: Any = parameters
    for part in key:
        if isinstance(part, str):
            if not isinstance(found, Mapping) or part not in found:
                raise ValueError(f"the parameter {name_of(key)!r} is missing")
            found = found[part]
    return found


def _option(spec: ParameterSpec, index: int) -> Any:
    if spec.type == "randint":
        return math.ceil(spec.values[0]) + index
    option = spec.values[index]
    if is_nested_choice(spec.values):
        return {"_name": option["_name"]}
    return option.item() if hasattr(option, "item") else option


def _option_index(spec: ParameterSpec, value: Any) -> int:
    if is_nested_choice(spec.values):
        name = value.get("_name") if isinstance(value, Mapping) else value
        names = [option["_name"] for option in spec.values]
        if name in names:
            return names.index(name)
        raise ValueError(f"{name_of(spec.key)!r} has no option named {name!r}")
    equal = [index for index, option in enumerate(spec.values) if option == value]
    # True equals 1, so an option of the same type is preferred.
    same = [index for index in equal if type(spec.values[index]) is type(value)]
    if not equal:
        raise ValueError(f"{name_of(spec.key)!r} has no option {value!r}")
    return (same or equal)[0]


def _out_of_range(spec: ParameterSpec, value: Any) -> str:
    return f"{name_of(spec.key)!r} is {value!r}, which is not within {spec.type} {spec.values}"
