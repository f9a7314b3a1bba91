"""Takes this process from a trial that it has finished to the next one, in reuse mode.

The courier is asked by a unix socket (NextTrialRequest in courier.proto), with a connection for every
question: one that is kept may be closed or shared by a script that forks. While no courier answers, because
it is being replaced or its manager is, we ask again. A process that cannot see the socket's folder, such as
one in a container, asks by a loopback port (nni/_loopback.py).
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

STRANGER_PATIENCE_SECONDS = 2.0
"""The same for a process that has never been answered by the loopback port, as in a network of its own."""

_FIRST_PAUSE = 0.02
_HANDSHAKE_SECONDS = 30.0
_LONGEST_PAUSE = 0.25  # less than the courier waits for us to come back
_patience_by_port = STRANGER_PATIENCE_SECONDS


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
    pause, heard = _FIRST_PAUSE, time.monotonic()
    while True:
        try:
            answer = _exchange(path, request)
            if answer is not None:
                return {each["name"]: each["value"] for each in json.loads(answer).get("environment", ())}
            heard, pause = time.monotonic(), _FIRST_PAUSE
        except OSError as error:
            if not _may_be_reached(path, error):
                _warn(f"{path}, where this process may ask for its next trial, cannot be reached: {error}")
                return {}
        patience = _patience_by_port if _address() and not os.path.exists(path) else PATIENCE_SECONDS
        if time.monotonic() - heard > patience:
            where = f"{path} and {_address()}" if _address() else path
            _warn(f"nobody has answered at {where} for {patience:g} s; this process gets no more trials")
            return {}
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _may_be_reached(path: str, error: OSError) -> bool:
    if isinstance(error, PermissionError):
        return False
    if os.path.exists(path) or not _address():
        return os.path.isdir(os.path.dirname(path))
    return _sees_trials()


def _sees_trials() -> bool:
    """Returns whether this process could take another trial, whose folder is beside its own."""
    return os.path.isdir(os.environ["NNI_SYS_DIR"])


def _address() -> str:
    return os.environ.get("NNI_COURIER_ADDRESS", "")


def _exchange(path: str, request: bytes) -> bytes | None:
    """Sends a request and returns the answer, None when the other side has gone before.

    Raises:
        OSError: Nobody is there, or not the courier.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(path)
        except FileNotFoundError:
            if not _address() or not _sees_trials():
                raise
        else:
            connection.sendall(request)
            return _read_line(connection)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.sendall(_prove(connection, _address()) + request)
        return _read_line(connection)


def _prove(connection: socket.socket, address: str) -> bytes:
    """Connects to the courier's loopback port, sees that it is the courier, and returns our proof.

    Raises:
        OSError: Nobody is there, or somebody else.
    """
    global _patience_by_port
    from nni import _loopback

    host, _, port = address.rpartition(":")
    token, ours = os.environ.get(_loopback.TOKEN_VARIABLE, ""), _loopback.random_text()
    connection.settimeout(_HANDSHAKE_SECONDS)  # who has got the port of a dead courier may say nothing
    connection.connect((host, int(port)))
    connection.sendall(f"{ours}\n".encode("ascii"))
    theirs, _, shown = (_read_line(connection) or b"").decode("latin-1").strip().partition(" ")
    if not token or not _loopback.is_right(shown, token, _loopback.COURIER, ours, theirs):
        raise ConnectionError(f"{address} is not the courier's")
    connection.settimeout(None)
    _patience_by_port = PATIENCE_SECONDS
    return f"{_loopback.proof(token, _loopback.PROCESS, ours, theirs)} ".encode("ascii")


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
