"""Starts a tool with a Python that is new enough.

The scripts in tools/ are started by whatever `python3` is on PATH, so this file keeps to what
Python 3.6 understands.
"""

import importlib
import os
import shutil
import signal
import subprocess
import sys
from typing import Optional

MINIMUM = (3, 10)
KNOWN = ("python3.13", "python3.12", "python3.11", "python3.10")


class ToolError(Exception):
    """A tool cannot go on; its text is all that the user needs."""


def run(module: str) -> None:
    """Runs `main(arguments)` of a module of this package and ends the process with its exit code."""
    if sys.version_info < MINIMUM:
        _start_again_with_newest_python()
    # A shell starts what it runs in the background with SIGINT ignored, and so would be every test of Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        sys.exit(importlib.import_module(module).main(sys.argv[1:]))
    except ToolError as error:
        sys.exit("error: {}".format(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _start_again_with_newest_python() -> None:
    newer = newest_python()
    if newer is None:
        sys.exit(
            "error: Python {}.{} or newer is needed, and {} is Python {}.{}; of {} none works here".format(
                *MINIMUM, sys.executable, *sys.version_info[:2], ", ".join(KNOWN)
            )
        )
    os.execv(newer, [newer, *sys.argv])


def newest_python() -> Optional[str]:
    """Returns the path of the newest known Python on PATH that really starts, or None."""
    for name in KNOWN:
        path = shutil.which(name)
        # A version manager's shim may exist for a Python that is not there.
        if path and subprocess.call([path, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            return path
    return None
