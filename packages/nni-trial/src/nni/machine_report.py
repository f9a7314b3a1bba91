"""Tells what this machine has for trials, as one line of JSON on standard output.

The command line: `python -m nni.machine_report --experiment-id ID --directory DIRECTORY`. It takes at most
about 15 seconds, and prints its report whatever the tools of the GPUs do.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import platform
import socket
import sys
import tempfile
import time
from typing import Any, Dict, List, Optional, Tuple

from nni.machine.gpus import list_gpus


def machine_report(experiment_id: str, directory: str) -> Dict[str, Any]:
    """Returns what this machine has.

    Args:
        experiment_id: The experiment whose processes on GPUs are not others'.
        directory: The folder that is to be written to; it need not be there yet.
    """
    gpus = list_gpus(experiment_id)
    free_bytes, writable = _room(directory)
    return {
        "python": platform.python_version(),
        "executable": sys.executable,
        "hostname": socket.gethostname(),
        "user": _user(),
        "cpu_count": os.cpu_count(),
        "free_bytes": free_bytes,
        "writable": writable,
        "gpus": gpus.gpus,
        "gpu_problem": gpus.problem,
        "gpu_warnings": gpus.warnings,
        "gpu_tool": gpus.tool,
        "cuda_visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "time": time.time(),  # the last, so that it is nearest to when it is read
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())  # in containers, users may have no name


def _room(directory: str) -> Tuple[Optional[int], str]:
    """Returns the bytes that may be written to a folder, and why it cannot be written to, "" if it can."""
    place = os.path.abspath(directory)
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    free: Optional[int] = None
    try:
        free = _free_bytes(place)
        with tempfile.NamedTemporaryFile(dir=place, prefix=".nni-report-") as file:
            file.write(b"nni")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return free, f"{place}: {error.strerror or error}"
    return free, ""


def _free_bytes(place: str) -> int:
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


def main(arguments: Optional[List[str]] = None) -> None:
    """Prints the report."""
    parser = argparse.ArgumentParser(
        prog="python -m nni.machine_report", description="Tells what this machine has for trials."
    )
    parser.add_argument("--experiment-id", default="", help="whose processes on GPUs are not others'")
    parser.add_argument("--directory", default="~", help="the folder that is to be written to")
    options = parser.parse_args(arguments)
    report = machine_report(options.experiment_id, os.path.expanduser(options.directory))
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
