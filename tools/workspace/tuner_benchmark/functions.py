"""What the tuners are compared on: functions of known optimum, each with its search space.

They have floats, logarithms, integers, steps, categories and a nested choice, in 2 to 10 dimensions. Each
returns its regret, the distance of its value from the optimum, which is 0 at best.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

Objective = Callable[[dict[str, Any]], float]
Space = dict[str, Any]


def branin(p: dict[str, Any]) -> float:
    """Branin-Hoo: two floats, three optima."""
    x, y = float(p["x"]), float(p["y"])
    bowl = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
    return bowl + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10 - 0.39788735773


_HARTMANN = (
    (1.0, (10, 3, 17, 3.5, 1.7, 8), (1312, 1696, 5569, 124, 8283, 5886)),
    (1.2, (0.05, 10, 17, 0.1, 8, 14), (2329, 4135, 8307, 3736, 1004, 9991)),
    (3.0, (3, 3.5, 1.7, 10, 17, 8), (2348, 1451, 3522, 2883, 3047, 6650)),
    (3.2, (17, 8, 0.05, 10, 0.1, 14), (4047, 8828, 8732, 5743, 1091, 381)),
)


def hartmann6(p: dict[str, Any]) -> float:
    """Hartmann: six floats, six optima of which one is the best."""
    total = 0.0
    for weight, factors, centers in _HARTMANN:
        terms = (
            a * (p[f"x{i}"] - c * 1e-4) ** 2 for i, (a, c) in enumerate(zip(factors, centers, strict=True))
        )
        total += weight * math.exp(-sum(terms))
    return 3.32236801141551 - total


def rosenbrock4(p: dict[str, Any]) -> float:
    """Rosenbrock: four floats that depend on each other, one bent valley. In logarithms of 1 + f."""
    x = [float(p[f"x{i}"]) for i in range(4)]
    total = sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in itertools.pairwise(x))
    return math.log1p(total)


def ackley10(p: dict[str, Any]) -> float:
    """Ackley: ten floats, many local optima around one."""
    x = [float(p[f"x{i}"]) - 0.3 for i in range(10)]
    mean_square = math.sqrt(sum(value * value for value in x) / 10)
    waves = sum(math.cos(2 * math.pi * value) for value in x) / 10
    return 20 - 20 * math.exp(-0.2 * mean_square) + math.e - math.exp(waves)


def kernel_machine(p: dict[str, Any]) -> float:
    """A made-up support vector machine: two logarithms that depend on each other and on a category."""
    cost, width = math.log10(p["C"]), math.log10(p["gamma"])
    best_width, penalty = {"rbf": (-2.0, 0.0), "poly": (-1.0, 0.4), "sigmoid": (-3.0, 0.8)}[p["kernel"]]
    degree = 0.1 * abs(int(p["degree"]) - 3) if p["kernel"] == "poly" else 0.0
    along, across = (cost - 1) + (width - best_width), (cost - 1) - (width - best_width)
    return penalty + degree + 0.3 * along**2 + 0.03 * across**2


_TABLE = (0.0, 0.7, 0.4, 0.9, 0.2)


def categories(p: dict[str, Any]) -> float:
    """Six categories of five options; neighbours that differ cost more."""
    chosen = [int(p[f"c{i}"][1:]) for i in range(6)]
    alone = sum(_TABLE[(option + 2 * index) % 5] for index, option in enumerate(chosen))
    # The best option of each is known, so the sum is 0 where all of them are chosen.
    best = [(-2 * index) % 5 for index in range(6)]
    pairs = sum(
        0.5 for index in range(5) if (chosen[index] == best[index]) != (chosen[index + 1] == best[index + 1])
    )
    return alone + pairs


def integers5(p: dict[str, Any]) -> float:
    """Five integers from 0 to 63, two of which depend on each other."""
    n = [int(p[f"n{i}"]) for i in range(5)]
    target = (10, 50, 31, 5, 60)
    apart = sum(((value - wanted) / 64) ** 2 for value, wanted in zip(n, target, strict=True))
    return apart + abs((n[0] + n[1]) - 60) / 64


def network(p: dict[str, Any]) -> float:
    """A made-up network: categories, a logarithm, integers, a step, a nested choice."""
    optimizer = p["optimizer"]
    momentum = 4 * (float(optimizer["momentum"]) - 0.9) ** 2 if optimizer["_name"] == "sgd" else 0.3
    activation = {"relu": 0.0, "tanh": 0.3, "sigmoid": 0.6}[p["activation"]]
    rate = (math.log10(p["rate"]) + 2.5) ** 2
    layers, dropout = int(p["layers"]), float(p["dropout"])
    return momentum + activation + rate + 0.1 * abs(layers - 4) + 4 * (dropout - 0.3) ** 2


def floats(count: int, low: float = 0, high: float = 1) -> Space:
    """Returns a search space of so many floats, x0 and so on."""
    return {f"x{i}": {"_type": "uniform", "_value": [low, high]} for i in range(count)}


FUNCTIONS: dict[str, tuple[Objective, Space]] = {
    "branin": (
        branin,
        {"x": {"_type": "uniform", "_value": [-5, 10]}, "y": {"_type": "uniform", "_value": [0, 15]}},
    ),
    "rosenbrock4": (rosenbrock4, floats(4, -2, 2)),
    "hartmann6": (hartmann6, floats(6)),
    "ackley10": (ackley10, floats(10, -2, 2)),
    "kernel_machine": (
        kernel_machine,
        {
            "C": {"_type": "loguniform", "_value": [0.01, 1000]},
            "gamma": {"_type": "loguniform", "_value": [1e-5, 1]},
            "kernel": {"_type": "choice", "_value": ["rbf", "poly", "sigmoid"]},
            "degree": {"_type": "randint", "_value": [1, 6]},
        },
    ),
    "categories": (
        categories,
        {f"c{i}": {"_type": "choice", "_value": [f"o{option}" for option in range(5)]} for i in range(6)},
    ),
    "integers5": (integers5, {f"n{i}": {"_type": "randint", "_value": [0, 64]} for i in range(5)}),
    "network": (
        network,
        {
            "optimizer": {
                "_type": "choice",
                "_value": [
                    {"_name": "sgd", "momentum": {"_type": "uniform", "_value": [0, 1]}},
                    {"_name": "adam"},
                ],
            },
            "activation": {"_type": "choice", "_value": ["relu", "tanh", "sigmoid"]},
            "rate": {"_type": "loguniform", "_value": [1e-5, 1]},
            "layers": {"_type": "randint", "_value": [1, 10]},
            "dropout": {"_type": "quniform", "_value": [0, 0.9, 0.1]},
        },
    ),
}
"""All of them, by name."""
