"""What the `_value` of each numeric type of parameter must be."""

from __future__ import annotations

import math
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

    def problems(self, value: list[Any]) -> list[Finding]:
        """Returns what is wrong with a `_value`."""
        if len(value) != len(self.names):
            allowed = f"allowed is [{', '.join(self.names)}]"
            return [(None, f"{short(value)} has {len(value)} elements; {allowed}")]
        findings: list[Finding] = []
        for index, element in enumerate(value):
            message = self._problem_of_element(self.names[index], element)
            if message:
                findings.append((index, message))
        if not findings and self.names[0] != "mu":
            message = self._problem_of_range(value[0], value[1], value)
            if message:
                findings.append((None, message))
        return findings

    def _problem_of_element(self, name: str, element: Any) -> str:
        if not isinstance(element, int if self.is_whole else (int, float)) or isinstance(element, bool):
            return f"{name} is {short(element)}; allowed is a {'whole number' if self.is_whole else 'number'}"
        if not math.isfinite(element):
            return f"{name} is {element}; allowed is a finite number"
        if element <= 0:
            if name in ("q", "sigma"):
                return f"{name} is {element}; allowed is a number above 0"
            if name == "low" and self.is_logarithmic:
                return f"low is {element}; allowed is a number above 0, since it is a logarithmic range"
        return ""

    def _problem_of_range(self, low: float, high: float, value: list[Any]) -> str:
        if low > high:
            return f"low {low} is above high {high}; allowed is [{', '.join(self.names)}] with low first"
        if low == high and not self.includes_high:
            return f"{short(value)} is empty, since high itself is never drawn; allowed is high above low"
        if not math.isfinite(float(high) - float(low)):
            return f"{short(value)} is too wide for floating-point numbers; allowed is a smaller range"
        return ""


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
