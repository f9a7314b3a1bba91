"""Compares the tuners with random search and with Optuna, and times their suggestions.

    .venv/bin/python tools/benchmark_tuners.py [--tuners TPE,GP] [--seeds 12] [--trials 120] [--parallel 1]
    .venv/bin/python tools/benchmark_tuners.py --cost [--sizes 100,1000,10000]

The first table has, for each function, the regret of the best trial as a share of that of random search. With
--cost the time of a suggestion by the number of finished trials. Optuna runs by its own interface with its
default sampler, in the same run.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile

from workspace.tuner_benchmark.cost import print_cost
from workspace.tuner_benchmark.quality import print_quality
from workspace.tuner_benchmark.searches import OPTUNA, be_quiet


def main() -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tuners", default="TPE", help="their names, with commas between them")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--trials", type=int, default=120)
    parser.add_argument("--parallel", type=int, default=1, help="how many trials run at once")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--cost", action="store_true", help="time suggestions instead")
    parser.add_argument("--sizes", default="100,1000,10000", help="numbers of finished trials")
    arguments = parser.parse_args()
    be_quiet()
    names = [*arguments.tuners.split(","), OPTUNA]
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("NNI_CHECKPOINT_DIRECTORY", folder)  # PBT wants one
        if arguments.cost:
            print_cost(names, [int(size) for size in arguments.sizes.split(",")])
        else:
            print_quality(names, arguments.seeds, arguments.trials, arguments.parallel, arguments.processes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
