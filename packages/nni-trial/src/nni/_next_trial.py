"""Takes this process from a trial that it has finished to the next one, in reuse mode.

The courier is asked by a unix socket (NextTrialRequest in courier.proto), with a connection for every
question: one that is kept may be closed or shared by a script that forks. While no courier answers, because
it is being replaced or its manager is, we ask again.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time

from nni._open_files import VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATIENCE_SECONDS = 600.0
"""How long no courier may answer until we take it that none will."""

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.25  # less than the courier waits for us to come back


def move_on() -> bool:
    """Ends the trial of this process and waits for the next one, which the environment names then.

    What was printed and reported before stays with the old trial; stdout, stderr and trial.log become the new
    one's, unless the script redirected them.

    Returns:
        False when there are no more trials.
    """
    _flush()
    request = {"trialId": os.environ["NNI_TRIAL_JOB_ID"], "attempt": int(os.environ["NNI_TRIAL_ATTEMPT"])}
    environment = _ask(os.environ["NNI_COURIER_SOCKET"], json.dumps(request).encode("ascii") + b"\n")
    if not environment:
        return False
    before = os.environ.get("NNI_OUTPUT_DIR", "")
    os.environ.pop(VARIABLE, None)  # those of the trial before
    os.environ.update(environment)
    _follow_output(before, os.environ["NNI_OUTPUT_DIR"])
    return True


def _ask(path: str, request: bytes) -> dict[str, str]:
    """Returns the environment of the next trial, empty when there is none."""
    pause = _FIRST_PAUSE
    heard = time.monotonic()
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(path)
            connection.sendall(request)
            answer = _read_line(connection)
            if answer is not None:
                return {each["name"]: each["value"] for each in json.loads(answer).get("environment", ())}
            heard, pause = time.monotonic(), _FIRST_PAUSE
        except OSError as error:
            if isinstance(error, PermissionError) or not os.path.isdir(os.path.dirname(path)):
                _warn(f"{path}, where this process may ask for its next trial, cannot be reached: {error}")
                return {}
        finally:
            connection.close()
        if time.monotonic() - heard > PATIENCE_SECONDS:
            _warn(
                f"nobody has answered at {path} for {PATIENCE_SECONDS:g} s; this process gets no more trials"
            )
            return {}
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _read_line(connection: socket.socket) -> bytes | None:
    """Returns a line, None when the other side closes the connection before it is complete."""
    received = b""
    while not received.endswith(b"\n"):
        data = connection.recv(1 << 16)
        if not data:
            return None
        received += data
    return received


def _warn(message: str) -> None:
    from nni._logs import logger

    logger().warning("%s", message)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError, OSError):
            continue  # the script closed it, or put something of its own there


def _follow_output(before: str, after: str) -> None:
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        try:
            if os.path.samestat(os.fstat(descriptor), os.stat(os.path.join(before, name))):
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
                file = os.open(os.path.join(after, name), flags, 0o600)
                os.dup2(file, descriptor)
                os.close(file)
        except OSError:  # closed or redirected by the script
            continue
    trial_log: Any = sys.modules.get("nni._trial_log")
    if trial_log is not None:
        trial_log.follow(after)
