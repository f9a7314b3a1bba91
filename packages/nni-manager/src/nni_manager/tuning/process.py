"""The process of an algorithm: `python -m nni_manager.tuning.process FD`, FD being its end of the socket.

Everything of ours is imported when it runs, since the child processes that an algorithm spawns import this
module again.
"""

from __future__ import annotations

import logging
import os
import sys

_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "fatal": logging.CRITICAL,
}


def main() -> None:
    """Serves one algorithm until the manager ends it or has gone."""
    # The working directory is the log folder: nothing is to be imported from there.
    if not getattr(sys.flags, "safe_path", False):
        del sys.path[0]
    logging.basicConfig(
        level=_LEVELS.get(os.environ.get("NNI_LOG_LEVEL", "info").lower(), logging.INFO),
        format="[%(asctime)s] %(levelname)s (%(name)s/%(threadName)s) %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S%z",
        stream=sys.stderr,
    )
    import socket

    from nni_manager.tuning.channel import Channel
    from nni_manager.tuning.serving import serve

    sys.exit(serve(Channel(socket.socket(fileno=int(sys.argv[1])))))


if __name__ == "__main__":
    main()
