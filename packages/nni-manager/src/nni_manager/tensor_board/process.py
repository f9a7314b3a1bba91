"""Runs TensorBoard on a unix socket: `python -m nni_manager.tensor_board.process SOCKET LOG_DIRECTORY`.

A port of this machine could be asked by every user of it; a socket in a private folder cannot. The program
prints "ready" once it answers, and ends when its stdin is closed.
"""

from __future__ import annotations

import os
import sys

READY = "ready"
"""The line that is printed once it answers."""


def main() -> int:
    """Runs the command line and returns the exit code."""
    socket_path, log_directory = sys.argv[1:]
    from tensorboard import program

    class Server(program.WerkzeugServer):  # type: ignore[misc]
        def get_url(self) -> str:
            return f"unix://{socket_path}"

    board = program.TensorBoard(server_class=Server)
    # Its faster loader would open a port of its own.
    options = ["--port=0", "--load_fast=false", "--reload_interval=5"]
    board.configure(["tensorboard", f"--logdir={log_directory}", f"--host=unix://{socket_path}", *options])
    board.launch()
    print(READY, flush=True)
    while os.read(0, 4096):
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
