"""A search space as a flat table of parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

ParameterKey = tuple[str | int, ...]
"""Where a parameter is: names, and behind the name of a nested choice the index of the option."""

FormattedParameters = dict[ParameterKey, Any]
"""By key what was chosen: the index of an option, or a number that is a logarithm for log types."""


class ParameterSpec(NamedTuple):
    """One parameter of a search space.

    Attributes:
        name: Its name.
        type: Its `_type`.
        values: Its `_value`.
        key: Where it is in the search space.
        categorical: Whether it is one of `size` options: choice and randint.
        size: How many options it has.
        chosen_size: How many of them are chosen, always 1.
        low: The lower bound, a logarithm for log types.
        high: The upper bound, a logarithm for log types.
        normal_distributed: Whether it is normal rather than uniform.
        mu: The mean, of the logarithm for log types.
        sigma: The standard deviation, of the logarithm for log types.
        q: The step that values are rounded to.
        clip: The bounds that a rounded value is kept within.
        log_distributed: Whether its logarithm is what is uniform or normal.
    """

    name: str
    type: str
    values: list[Any]
    key: ParameterKey
    categorical: bool
    size: int | None = None
    chosen_size: int | None = 1
    low: float | None = None
    high: float | None = None
    normal_distributed: bool | None = None
    mu: float | None = None
    sigma: float | None = None
    q: float | None = None
    clip: tuple[float, float] | None = None
    log_distributed: bool | None = None

    def is_activated_in(self, partial_parameters: Mapping[ParameterKey, Any]) -> bool:
        """Returns whether the options that this parameter belongs to are the chosen ones."""
        return all(
            partial_parameters.get(self.key[:index]) == part
            for index, part in enumerate(self.key)
            if isinstance(part, int)
        )

    def is_nested(self) -> bool:
        """Returns whether this parameter belongs to an option of another one."""
        return any(isinstance(part, int) for part in self.key)

    def is_fixed(self) -> bool:
        """Returns whether there is only one value."""
        if self.categorical:
            return self.size == 1
        return self.sigma == 0 if self.normal_distributed else self.low == self.high


def format_search_space(search_space: Mapping[str, Any]) -> dict[ParameterKey, ParameterSpec]:
    """Returns the parameters of a valid search space by their keys, options before what is nested in them."""
    return {spec.key: spec for spec in _specs((), search_space)}


def is_nested_choice(values: list[Any]) -> bool:
    """Returns whether the options of a choice are search spaces of their own."""
    return bool(values) and all(isinstance(option, dict) and "_name" in option for option in values)


def _specs(prefix: ParameterKey, space: Mapping[str, Any]) -> Iterator[ParameterSpec]:
    for name, definition in space.items():
        if name == "_name":
            continue
        key = (*prefix, name)
        if "_type" not in definition:
            yield from _specs(key, definition)
            continue
        yield _spec(key, name, definition["_type"], definition["_value"])
        if definition["_type"] == "choice" and is_nested_choice(definition["_value"]):
            for index, option in enumerate(definition["_value"]):
                yield from _specs((*key, index), option)


def _spec(key: ParameterKey, name: str, type_: str, values: list[Any]) -> ParameterSpec:
    if type_ == "choice":
        return ParameterSpec(name, type_, values, key, categorical=True, size=len(values))
    if type_ == "randint":
        size = math.ceil(values[1]) - math.ceil(values[0])
        return ParameterSpec(name, type_, values, key, categorical=True, size=size)
    log = "log" in type_
    spec = ParameterSpec(name, type_, values, key, categorical=False, log_distributed=log)
    if type_.startswith("q"):
        spec = spec._replace(q=float(values[2]))
    if type_.endswith("normal"):
        return spec._replace(normal_distributed=True, mu=float(values[0]), sigma=float(values[1]))
    low, high = float(values[0]), float(values[1])
    clip = (low, high) if spec.q is not None else None
    if log:
        low, high = math.log(low), math.log(high)
    return spec._replace(normal_distributed=False, low=low, high=high, clip=clip)
