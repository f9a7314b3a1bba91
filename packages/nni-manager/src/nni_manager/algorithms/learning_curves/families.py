"""The families of curves that learning curves are made of, as in Domhan 2015, table 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Family:
    """Curves of one form.

    Attributes:
        function: The value at a position from 1, or at each of an array, for some constants.
        constants: Constants that suit a curve from 0 to 1, which a fit begins with.
    """

    function: Callable[..., Any]
    constants: tuple[float, ...]


def _vapor_pressure(x: Any, a: float, b: float, c: float) -> Any:
    return np.exp(a + b / x + c * np.log(x))


def _power_3(x: Any, c: float, a: float, alpha: float) -> Any:
    return c - a * x**-alpha


def _linear(x: Any, a: float, b: float) -> Any:
    return a * x + b


def _log_linear(x: Any, a: float, b: float) -> Any:
    return a * np.log(x) + b


def _hill(x: Any, theta: float, eta: float, kappa: float) -> Any:
    return theta * x**eta / (kappa**eta + x**eta)


def _log_power(x: Any, a: float, b: float, c: float) -> Any:
    return a / (1.0 + (x / np.exp(b)) ** c)


def _power_4(x: Any, alpha: float, a: float, b: float, c: float) -> Any:
    return c - (a * x + b) ** -alpha


def _morgan_mercer_flodin(x: Any, alpha: float, beta: float, kappa: float, delta: float) -> Any:
    return alpha - (alpha - beta) / (1.0 + (kappa * x) ** delta)


def _exponential_4(x: Any, c: float, a: float, b: float, alpha: float) -> Any:
    return c - np.exp(b - a * x**alpha)


def _inverse_log(x: Any, c: float, a: float) -> Any:
    # As NNI has it, with no value at 1, where log(x + 1) stands in the paper.
    return c - a / np.log(x)


def _weibull(x: Any, alpha: float, beta: float, kappa: float, delta: float) -> Any:
    return alpha - (alpha - beta) * np.exp(-((kappa * x) ** delta))


def _janoschek(x: Any, alpha: float, beta: float, kappa: float, delta: float) -> Any:
    return alpha - (alpha - beta) * np.exp(-kappa * x**delta)


FAMILIES = {
    "vap": Family(_vapor_pressure, (-0.622028, -0.470050, 0.042322)),
    "pow3": Family(_power_3, (0.84, 0.52, 0.01)),
    "linear": Family(_linear, (1.0, 0.0)),
    "logx_linear": Family(_log_linear, (0.378106, 0.046506)),
    "dr_hill_zero_background": Family(_hill, (0.772320, 0.586449, 2.460843)),
    "log_power": Family(_log_power, (0.77, 2.98, -0.51)),
    "pow4": Family(_power_4, (0.1, 200.0, 0.0, 0.8)),
    "mmf": Family(_morgan_mercer_flodin, (0.7, 0.1, 0.01, 5.0)),
    "exp4": Family(_exponential_4, (0.7, 0.8, -0.8, 0.3)),
    "ilog2": Family(_inverse_log, (0.78, 0.43)),
    "weibull": Family(_weibull, (0.7, 0.1, 0.01, 1.0)),
    "janoschek": Family(_janoschek, (0.73, 0.07, 0.355, 0.46)),
}
"""All of them, under NNI's names."""
