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

    Numbers out of the range are taken too, since records may be of a time when it was wider.

    Raises:
        ValueError: A parameter is missing, an option is unknown, or something is not a number of its type.
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
                value = _find(parameters, key)
                chosen = choice_of(spec, value)
                if is_in_range(spec, value):
                    result[key] = chosen
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
    """Returns what was chosen for a trial to get this value, which may be out of the range.

    Raises:
        ValueError: It is no option of the choice, or not a number that the type can have.
    """
    if spec.type == "choice":
        return _option_index(spec, value)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"{name_of(spec.key)!r} is {value!r}, not a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError(f"{name_of(spec.key)!r} is beyond every float") from error
    if not math.isfinite(number):
        raise ValueError(f"{name_of(spec.key)!r} is {value!r}, not a number")
    if spec.type == "randint":
        if not number.is_integer():
            raise ValueError(f"{name_of(spec.key)!r} is {value!r}, not a whole number")
        return round(value) - math.ceil(spec.values[0])
    if not spec.log_distributed:
        return number
    if spec.q is not None and number == 0:
        # Rounded down to 0, which has no logarithm.
        number = float(spec.q) / 2
    if number <= 0:
        raise ValueError(f"{name_of(spec.key)!r} is {value!r}, which has no logarithm")
    return math.log(number)


def is_in_range(spec: ParameterSpec, value: Any) -> bool:
    """Returns whether a value for which there is a choice is within the bounds of its parameter."""
    if spec.type == "choice" or spec.normal_distributed:
        return True
    low, high = spec.values[:2]
    return bool(low <= value < high if spec.type == "randint" else low <= value <= high)


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
