"""What the `_value` of each numeric type of parameter must be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nni_config.names import closest, short

Finding = tuple[int | None, str]
"""An index within `_value`, or None for all of it, and what is wrong there."""


@dataclass(frozen=True, slots=True)
class ParameterType:
    """A numeric type of parameter.

    Attributes:
        names: What the elements of `_value` are.
        is_whole: Whether they are whole numbers.
        is_logarithmic: Whether the bounds are above 0.
        includes_high: Whether the upper bound itself may be drawn.
    """

    names: tuple[str, ...]
    is_whole: bool = False
    is_logarithmic: bool = False
    includes_high: bool = True

    def problems(self, value: list[Any]) -> Iterator[Finding]:
        """Yields what is wrong with a `_value`."""
        allowed = f"allowed is [{', '.join(self.names)}]"
        if len(value) != len(self.names):
            yield None, f"{short(value)} has {len(value)} elements; {allowed}"
            return
        findings = [
            finding for index, element in enumerate(value) for finding in self._element(index, element)
        ]
        yield from findings
        if not findings and self.names[0] != "mu":
            yield from self._range(value)

    def _element(self, index: int, element: Any) -> Iterator[Finding]:
        name, kind = self.names[index], "whole number" if self.is_whole else "number"
        is_number = isinstance(element, int if self.is_whole else (int, float))
        if not is_number or isinstance(element, bool):
            yield index, f"{name} is {short(element)}; allowed is a {kind}"
        elif not math.isfinite(element):
            yield index, f"{name} is {element}; allowed is a finite number"
        elif name in ("q", "sigma") and element <= 0:
            yield index, f"{name} is {element}; allowed is a number above 0"
        elif name == "low" and self.is_logarithmic and element <= 0:
            yield index, f"low is {element}; allowed is a number above 0, since it is a logarithmic range"

    def _range(self, value: list[Any]) -> Iterator[Finding]:
        low, high = value[:2]
        if low > high:
            yield None, f"low {low} is above high {high}; allowed is [{', '.join(self.names)}] with low first"
        elif low == high and not self.includes_high:
            yield (
                None,
                f"{short(value)} is empty, since high itself is never drawn; allowed is high above low",
            )
        elif not math.isfinite(float(high) - float(low)):
            yield None, f"{short(value)} is too wide for floating-point numbers; allowed is a smaller range"


PARAMETER_TYPES = {
    "randint": ParameterType(("low", "high"), is_whole=True, includes_high=False),
    "uniform": ParameterType(("low", "high")),
    "quniform": ParameterType(("low", "high", "q")),
    "loguniform": ParameterType(("low", "high"), is_logarithmic=True),
    "qloguniform": ParameterType(("low", "high", "q"), is_logarithmic=True),
    "normal": ParameterType(("mu", "sigma")),
    "qnormal": ParameterType(("mu", "sigma", "q")),
    "lognormal": ParameterType(("mu", "sigma")),
    "qlognormal": ParameterType(("mu", "sigma", "q")),
}
"""The numeric types by name."""

_ARCHITECTURE_SEARCH = ("layer_choice", "input_choice", "mutable_layer")


def refusal_of_type(kind: Any) -> str:
    """Returns why a `_type` that there is not is refused."""
    allowed = f"allowed are choice, {', '.join(PARAMETER_TYPES)}"
    if kind in _ARCHITECTURE_SEARCH:
        return f"{kind!r} belongs to architecture search, which is not supported; {allowed}"
    guess = closest(kind, ("choice", *PARAMETER_TYPES)) if isinstance(kind, str) else None
    hint = f" (did you mean {guess!r}?)" if guess else ""
    return f"there is no type {short(kind)}{hint}; {allowed}"
