"""The command line: `python -m nni.courier --experiment-id ID --experiment-directory DIRECTORY`."""

from __future__ import annotations

import argparse
import os

from nni.courier.courier import Courier
from nni.courier.launching import Place
from nni.trial_folder import make_private_folder


def main() -> None:
    """Runs a courier on standard input and output."""
    parser = argparse.ArgumentParser(
        prog="python -m nni.courier", description="Carries trials of one experiment."
    )
    parser.add_argument("--experiment-id", required=True)
    parser.add_argument("--experiment-directory", required=True)
    parser.add_argument("--grace-seconds", type=float, default=5.0)
    parser.add_argument("--socket", default="", help="keep processes that ask here for more trials")
    parser.add_argument("--run-directory", default="", help="replace the courier that is noted here")
    parser.add_argument(
        "--reuse", action="store_true", help="keep processes, the socket has a place of its own"
    )
    parser.add_argument(
        "--unattended-limit",
        type=float,
        default=0.0,
        help="stop trials after so many seconds without a manager",
    )
    parser.add_argument("--stop-signal", type=int, default=2, help="the first signal to them then")
    options = parser.parse_args()
    directory = os.path.abspath(options.experiment_directory)
    socket = options.socket
    if options.run_directory:
        from nni.courier import predecessor, run_directory  # on other machines alone

        make_private_folder(options.run_directory)
        predecessor.take_over(os.path.join(options.run_directory, run_directory.COURIER_NOTE))
        if options.reuse:
            socket = run_directory.socket_path(options.run_directory)
        if options.unattended_limit:
            from nni.courier import unattended

            arguments = (
                f"--experiment-id={options.experiment_id}",
                f"--experiment-directory={directory}",
                f"--run-directory={options.run_directory}",
                f"--limit={options.unattended_limit}",
                f"--stop-signal={options.stop_signal}",
                f"--grace-seconds={options.grace_seconds}",
            )
            unattended.watch(options.run_directory, arguments)
    place = Place(options.experiment_id, directory, options.grace_seconds, socket)
    Courier(place, source=0, target=1).run()


if __name__ == "__main__":
    main()
