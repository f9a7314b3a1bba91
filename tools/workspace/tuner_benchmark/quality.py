"""How good the best of some trials is, on each function, relative to random search."""

from __future__ import annotations

import math
import statistics
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from workspace.tuner_benchmark.functions import FUNCTIONS
from workspace.tuner_benchmark.searches import be_quiet, make_search


def regret(name: str, function: str, seed: int, trials: int, parallel: int) -> float:
    """Returns the regret of the best of so many trials, of which `parallel` always run at once."""
    objective, space = FUNCTIONS[function]
    search = make_search(name, space, seed)
    running: list[tuple[Any, dict[str, Any]]] = []
    best = math.inf
    for number in range(trials + parallel):
        if len(running) == parallel or number >= trials:
            handle, parameters = running.pop(0)
            value = objective(parameters)
            search.tell(handle, value)
            best = min(best, value)
        if number < trials:
            running.append(search.ask())
    return best


def print_quality(names: list[str], seeds: int, trials: int, parallel: int, processes: int) -> None:
    """Prints the mean regret of random search, and that of each tuner as a share of it."""
    print(f"final regret after {trials} trials, {parallel} at once, mean of {seeds} seeds")
    print("random search as it is, the others as a share of random search's (less is better)\n")
    print(f"{'function':16}{'Random':>10}" + "".join(f"{name:>15}" for name in names))
    shares: dict[str, list[float]] = {name: [] for name in names}
    with ProcessPoolExecutor(processes, initializer=be_quiet) as pool:
        for function in FUNCTIONS:
            jobs = {
                name: [pool.submit(regret, name, function, seed, trials, parallel) for seed in range(seeds)]
                for name in ("Random", *names)
            }
            means = {
                name: statistics.fmean(job.result() for job in of_name) for name, of_name in jobs.items()
            }
            for name in names:
                shares[name].append(means[name] / means["Random"])
            cells = "".join(f"{shares[name][-1]:15.3f}" for name in names)
            print(f"{function:16}{means['Random']:10.4f}{cells}", flush=True)
    print(f"{'mean':16}{1:10.0f}" + "".join(f"{statistics.fmean(shares[name]):15.3f}" for name in names))
