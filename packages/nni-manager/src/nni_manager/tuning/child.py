"""Starts the process of an algorithm, and tells how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from pathlib import Path

from nni_manager.tuning.interface import AlgorithmSettings

_BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


async def start_child(settings: AlgorithmSettings, log_path: Path) -> tuple[Process, socket.socket]:
    """Starts the process in a session of its own, out of reach of the terminal's Ctrl-C.

    Args:
        settings: The algorithm.
        log_path: The file that its output is appended to.

    Returns:
        The process and our end of the socket.
    """
    settings.checkpoint_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    ours, theirs = socket.socketpair()
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-u", "-X", "faulthandler", "-m", "nni_manager.tuning.process", str(theirs.fileno())),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=settings.log_directory,
            env=child_environment(settings),
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
        os.close(log)
    return process, ours


def child_environment(settings: AlgorithmSettings) -> dict[str, str]:
    """Returns the environment of an algorithm's process."""
    # Inside a trial of another experiment this variable would make the algorithm one, too.
    environment = {name: value for name, value in os.environ.items() if name != "NNI_PLATFORM"}
    if settings.class_name is None:
        # The built-in algorithms work on small arrays: threads cost them more than they bring.
        for variable in _BLAS_THREADS:
            environment.setdefault(variable, "1")
    return {
        **environment,
        "SDK_PROCESS": "dispatcher",
        "NNI_LOG_DIRECTORY": str(settings.log_directory.absolute()),
        "NNI_CHECKPOINT_DIRECTORY": str(settings.checkpoint_directory.absolute()),
        "NNI_LOG_LEVEL": settings.log_level,
        **settings.environment,
    }


def kill_session(process: Process) -> None:
    """Kills the process and those that it left in its process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def exit_cause(return_code: int) -> tuple[str, str]:
    """Returns how a process ended: "signal 9" or "exit code 3", and in a sentence."""
    if return_code >= 0:
        return f"exit code {return_code}", f"its process exited with exit code {return_code}"
    try:
        name = signal.Signals(-return_code).name
    except ValueError:
        name = "unknown"
    return f"signal {-return_code}", f"its process was ended by signal {-return_code} ({name})"


def last_lines(path: Path, offset: int, count: int = 20) -> str:
    """Returns the last lines of a file that were written behind an offset."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(offset, file.tell() - 64 * 1024))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-count:])
