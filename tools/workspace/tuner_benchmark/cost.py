"""How long a suggestion takes, by the number of finished trials."""

from __future__ import annotations

import statistics
import time

import numpy as np

from workspace.tuner_benchmark.functions import floats
from workspace.tuner_benchmark.searches import Search, make_search

_SUGGESTIONS = 11
# These propose nothing new for imported results, or only run through generations of their own.
_DRIVEN = ("PBT", "Hyperband", "BOHB", "GridSearch")


def print_cost(names: list[str], sizes: list[int], dimensions: int = 10) -> None:
    """Prints the median time of a suggestion of each tuner, in a space of floats, and the largest."""
    space = floats(dimensions)
    print(
        f"\nmilliseconds for a suggestion, median of {_SUGGESTIONS} and largest, "
        f"in a space of {dimensions} floats\n"
    )
    print(f"{'finished trials':16}" + "".join(f"{size:>20,}" for size in sizes))
    for name in names:
        cells = ""
        for size in sizes:
            search = make_search(name, space, 0)
            _finish(search, size, dimensions, driven=name in _DRIVEN)
            times = _times(search)
            cells += f"{statistics.median(times):12.2f}{max(times):8.1f}"
        print(f"{name:16}{cells}", flush=True)


def _finish(search: Search, count: int, dimensions: int, *, driven: bool) -> None:
    rng = np.random.default_rng(count)
    if driven:
        for _ in range(count):
            handle, parameters = search.ask()
            search.tell(handle, _value(parameters))
        return
    points = rng.random((count, dimensions))
    drawn = [{f"x{index}": float(x) for index, x in enumerate(point)} for point in points]
    search.import_trials([(parameters, _value(parameters)) for parameters in drawn])


def _value(parameters: dict[str, float]) -> float:
    return sum((float(value) - 0.3) ** 2 for name, value in parameters.items() if name.startswith("x"))


def _times(search: Search) -> list[float]:
    handle, parameters = search.ask()
    search.tell(handle, _value(parameters))
    times = []
    for _ in range(_SUGGESTIONS):
        start = time.perf_counter()
        handle, parameters = search.ask()
        times.append(1000 * (time.perf_counter() - start))
        search.tell(handle, _value(parameters))
    return times
