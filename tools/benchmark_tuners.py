"""Compares TPE with random search on three standard functions, and times its suggestions.

    .venv/bin/python tools/benchmark_tuners.py [--seeds 20] [--trials 120] [--parallel 1]

The first table has, for each function, how far the best trial is from the optimum on average (regret), and
the ratio of the two. The second one has the time of a suggestion by the number of finished trials, the third
one how long it takes to make a tuner anew that had 10,000 trials.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmark_rebuilding import print_rebuilds
from nni_manager.algorithms.tuner import Tuner
from nni_manager.algorithms.tuners.random import RandomTuner
from nni_manager.algorithms.tuners.tpe import TpeTuner

Objective = Callable[[dict[str, Any]], float]


def branin(p: dict[str, Any]) -> float:
    """Returns the regret of the Branin-Hoo function (two floats, three optima)."""
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
    """Returns the regret of the Hartmann function (six floats)."""
    total = 0.0
    for weight, factors, centers in _HARTMANN:
        terms = (
            a * (p[f"x{i}"] - c * 1e-4) ** 2 for i, (a, c) in enumerate(zip(factors, centers, strict=True))
        )
        total += weight * math.exp(-sum(terms))
    return 3.32236801141551 - total


def network(p: dict[str, Any]) -> float:
    """Returns the regret of a made-up network: categories, a logarithm, integers, a step, a nested choice."""
    optimizer = p["optimizer"]
    momentum = 4 * (float(optimizer["momentum"]) - 0.9) ** 2 if optimizer["_name"] == "sgd" else 0.3
    activation = {"relu": 0.0, "tanh": 0.3, "sigmoid": 0.6}[p["activation"]]
    rate = (math.log10(p["rate"]) + 2.5) ** 2
    layers, dropout = int(p["layers"]), float(p["dropout"])
    return momentum + activation + rate + 0.1 * abs(layers - 4) + 4 * (dropout - 0.3) ** 2


FUNCTIONS: dict[str, tuple[Objective, dict[str, Any]]] = {
    "branin": (
        branin,
        {"x": {"_type": "uniform", "_value": [-5, 10]}, "y": {"_type": "uniform", "_value": [0, 15]}},
    ),
    "hartmann6": (hartmann6, {f"x{i}": {"_type": "uniform", "_value": [0, 1]} for i in range(6)}),
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


def regret(tuner: Tuner, objective: Objective, space: dict[str, Any], trials: int, parallel: int) -> float:
    """Returns the regret of the best of so many trials, of which `parallel` always run at once."""
    tuner.update_search_space(space)
    running: list[tuple[int, dict[str, Any]]] = []
    best = math.inf
    for parameter_id in range(trials + parallel):
        if len(running) == parallel or parameter_id >= trials:
            ended, parameters = running.pop(0)
            value = objective(parameters)
            tuner.receive_trial_result(ended, parameters, value)
            tuner.trial_end(ended, True)
            best = min(best, value)
        if parameter_id < trials:
            running.append((parameter_id, tuner.generate_parameters(parameter_id)))
    return best


def print_regrets(seeds: int, trials: int, parallel: int) -> None:
    """Prints the mean regret of either tuner on each function."""
    print(f"mean regret after {trials} trials, {parallel} at once, {seeds} seeds")
    print(f"{'function':12}{'random':>10}{'TPE':>10}{'ratio':>8}")
    for name, (objective, space) in FUNCTIONS.items():
        means = [
            statistics.fmean(regret(make(seed), objective, space, trials, parallel) for seed in range(seeds))
            for make in (lambda seed: RandomTuner(seed=seed), lambda seed: TpeTuner(seed=seed))
        ]
        print(f"{name:12}{means[0]:10.4f}{means[1]:10.4f}{means[1] / means[0]:8.3f}")


def print_times() -> None:
    """Prints the processor time of a suggestion of TPE by the number of finished trials."""
    print("\nmilliseconds of processor time for a suggestion of TPE (median of 50, largest)")
    print(f"{'finished':12}{'4 floats':>18}{'10 floats':>18}{'network':>18}")
    floats = [{f"x{i}": {"_type": "uniform", "_value": [0, 1]} for i in range(count)} for count in (4, 10)]
    tuners = []
    for space in (*floats, FUNCTIONS["network"][1]):
        tuners.append(TpeTuner(seed=0))
        tuners[-1].update_search_space({**space, "noise": {"_type": "uniform", "_value": [0, 1]}})
    known = 0
    for finished in (100, 1_000, 10_000):
        cells = []
        for tuner in tuners:
            source = RandomTuner(seed=finished)
            source.update_search_space({"noise": {"_type": "uniform", "_value": [0, 1]}, **floats[1]})
            drawn = source.generate_multiple_parameters(list(range(finished - known)))
            tuner.import_data(
                [{"parameter": parameters, "value": parameters["noise"]} for parameters in drawn]
            )
            tuner.generate_parameters(finished)
            times = []
            for number in range(50):
                start = time.process_time()
                parameters = tuner.generate_parameters(number)
                times.append(1000 * (time.process_time() - start))
                tuner.receive_trial_result(number, parameters, parameters["noise"])
            cells.append(f"{statistics.median(times):10.2f}{max(times):8.2f}")
        known = finished + 50
        print(f"{finished:<12}{''.join(cells)}")


def main() -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=120)
    parser.add_argument("--parallel", type=int, default=1)
    arguments = parser.parse_args()
    print_regrets(arguments.seeds, arguments.trials, arguments.parallel)
    print_times()
    print_rebuilds([10_000])
    return 0


if __name__ == "__main__":
    sys.exit(main())
