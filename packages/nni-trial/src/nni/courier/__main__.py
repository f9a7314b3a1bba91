"""The command line: `python -m nni.courier --experiment-id ID --experiment-directory DIRECTORY`."""

from __future__ import annotations

import argparse
import os

from nni.courier.courier import Courier
from nni.courier.launching import Place


def main() -> None:
    """Runs a courier on standard input and output."""
    parser = argparse.ArgumentParser(
        prog="python -m nni.courier", description="Carries trials of one experiment."
    )
    parser.add_argument("--experiment-id", required=True)
    parser.add_argument("--experiment-directory", required=True)
    parser.add_argument("--grace-seconds", type=float, default=5.0)
    parser.add_argument("--socket", default="", help="keep processes that ask here for more trials")
    options = parser.parse_args()
    directory = os.path.abspath(options.experiment_directory)
    place = Place(options.experiment_id, directory, options.grace_seconds, options.socket)
    Courier(place, source=0, target=1).run()


if __name__ == "__main__":
    main()
