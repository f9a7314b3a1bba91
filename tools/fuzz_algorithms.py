"""Runs every built-in tuner in every search space; to its trials everything happens that may.

    .venv/bin/python tools/fuzz_algorithms.py [--only TPE,GP] [--trials 2000] [--seconds 60] [--seed 1]

Parameters that are not of the search space, or an exception, make it exit with 1; what shows them again is
printed. A tuner that needs long has --seconds in each search space, and as many trials as it gets done. The
search spaces are those of nni_manager.testing.search_spaces; a finite one has no more trials than points.
"""

from __future__ import annotations

import argparse
import functools
import logging
import multiprocessing
import os
import secrets
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Sequence
from typing import NamedTuple

from nni_manager.testing.algorithm_runs import RUNNERS, SPACE_NAMES, run


class Done(NamedTuple):
    """A tuner's run in one search space.

    Attributes:
        trials: How many there were.
        seconds: How long it took.
        error: What went wrong, with its traceback, "" for nothing.
    """

    trials: int
    seconds: float
    error: str


def run_one(pair: tuple[str, str], trials: int, seconds: float, seed: int) -> Done:
    """Runs a tuner in one search space. Warnings are errors, as in the tests."""
    started = time.monotonic()
    logging.disable(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("error")
            os.environ["NNI_CHECKPOINT_DIRECTORY"] = folder
            count = run(*pair, trials, seed, seconds)
    except Exception:
        return Done(0, time.monotonic() - started, traceback.format_exc())
    return Done(count, time.monotonic() - started, "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help=f"names with commas between them, of {', '.join(RUNNERS)}")
    parser.add_argument("--trials", type=int, default=2000, help="in each search space (2000)")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each search space at most (60)")
    parser.add_argument("--seed", type=int, help="what happens; drawn if it is not given")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args(arguments)
    names = options.only.split(",") if options.only else list(RUNNERS)
    unknown = [name for name in names if name not in RUNNERS]
    if unknown:
        parser.error(f"{', '.join(unknown)} is unknown; allowed are {', '.join(RUNNERS)}")
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    print(f"--seed {seed}; trials in {', '.join(SPACE_NAMES)}:")
    runs = functools.partial(run_one, trials=options.trials, seconds=options.seconds, seed=seed)
    code = 0
    # A fresh process each: threads that a library started do not outlive a fork.
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for name in names:
            done = pool.map(runs, [(name, space) for space in SPACE_NAMES], chunksize=1)
            counts = " ".join(str(one.trials) for one in done)
            total, seconds = sum(one.trials for one in done), sum(one.seconds for one in done)
            print(f"{name}: {counts}; {total} in {seconds:.0f} s", flush=True)
            for space, one in zip(SPACE_NAMES, done, strict=True):
                if one.error:
                    code = 1
                    print(f"{name} in {space}, --seed {seed} --trials {options.trials}:\n{one.error}")
    print("something is wrong" if code else "all parameters were of their search spaces, nothing was raised")
    return code


if __name__ == "__main__":
    sys.exit(main())
