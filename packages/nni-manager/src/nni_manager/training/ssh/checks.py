"""Whether a machine has what trials need."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.ssh import finding_python
from nni_manager.training.ssh.connection import SshConnection
from nni_manager.training.ssh.errors import Phase, SshError
from nni_manager.training.ssh.process import SshProcess
from nni_manager.training.ssh.shell import quoted, quoted_path

CLOCK_TOLERANCE = 60.0
"""How many seconds the clock of a machine may differ from ours."""

NEEDED_BYTES = 64 << 20
"""How much room a machine needs at least."""

_PURPOSE = "the check of the machine"
_ROUNDS = 5
_ANSWER_SECONDS = 30.0

# What goes wrong is told by the tools, in their own words but in English.
_LOOK = """LC_ALL=C; export LC_ALL; umask 077
tell() { printf '%s\\t%s\\n' "$1" "$2"; }
tell home "$HOME"
tell hostname "$(uname -n)"
tell seconds "$(date +%s)"
folder=@folder@
if problem=$(mkdir -p -- "$folder" 2>&1) && cd -- "$folder"; then
  tell folder "$(pwd)"
  problem=$( (head -c 65536 /dev/zero >".probe.$$") 2>&1)
  [ "$(wc -c <".probe.$$" 2>/dev/null || echo 0)" -eq 65536 ] || : "${problem:=it cannot be written}"
  rm -f -- ".probe.$$"
  tell free "$(df -Pk . 2>/dev/null | tail -n 1)"
else
  : "${problem:=it cannot be entered}"
fi
tell problem "$(printf '%s' "$problem" | tail -n 1)"
cd /
"""

_TELL_TIME = "import sys, time\nfor line in sys.stdin:\n    print(time.time(), flush=True)\n"


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What was found on a machine.

    Attributes:
        home: The user's home folder.
        directory: The folder that may be used there, absolute; if it was made, with mode 0700.
        python: The path of a Python interpreter, 3.8 or later.
        python_version: Its version, such as "3.8.18".
        free_bytes: How much room the folder has, None if that is not known.
        clock_offset: How many seconds its clock is ahead of ours; behind if negative.
        hostname: What it calls itself.
    """

    home: str
    directory: str
    python: str
    python_version: str
    free_bytes: int | None
    clock_offset: float
    hostname: str


async def check_machine(
    connection: SshConnection,
    directory: str,
    *,
    python_path: str | None = None,
    needed_bytes: int = NEEDED_BYTES,
    clock_tolerance: float = CLOCK_TOLERANCE,
) -> MachineFacts:
    """Looks for everything that trials need, and makes the folder.

    Args:
        connection: The machine.
        directory: The folder to use; one that starts with "~/" is in the user's home.
        python_path: Where its Python is: the interpreter, or the folder it is in.
        needed_bytes: How much room the folder needs at least.
        clock_tolerance: How many seconds its clock may differ from ours.

    Raises:
        TrainingServiceError: With all that is wrong, a sentence a line.
        SshError: No command can be run, or the connection was lost (Phase.LOST).
    """
    look = _LOOK.replace("@folder@", quoted_path(directory)) + finding_python.script(python_path)
    asked = time.time()
    result = await connection.run(look, purpose=_PURPOSE)
    lines = result.stdout.decode("utf-8", "surrogateescape").splitlines()
    told = dict(line.split("\t", 1) for line in lines if "\t" in line)
    found = finding_python.interpreters(lines)
    problems = [finding_python.problem(found, python_path)]
    if problems[0]:
        # Whole seconds, seen somewhere within as long as all of this took.
        offset = float(told["seconds"]) + 0.5 - (asked + time.time()) / 2
    else:
        offset = await _clock_offset(connection, found[-1].path)
    free = _free_bytes(told.get("free", ""))
    problems += [
        _folder_problem(told, directory, free, needed_bytes),
        _clock_problem(offset, clock_tolerance),
    ]
    if any(problems):
        raise TrainingServiceError("\n".join(f"{connection.name}: {text}" for text in problems if text))
    return MachineFacts(
        home=told["home"],
        directory=told["folder"],
        python=found[-1].path,
        python_version=found[-1].version,
        free_bytes=free,
        clock_offset=offset,
        hostname=told["hostname"],
    )


async def _clock_offset(connection: SshConnection, python: str) -> float:
    """Returns how far a machine's clock is ahead, from the quickest of some answers."""
    process = await connection.start(f"exec {quoted(python)} -u -S -c {quoted(_TELL_TIME)}")
    try:
        rounds = [await asyncio.wait_for(_asked(process), _ANSWER_SECONDS) for _ in range(_ROUNDS)]
        return min(rounds)[1]
    except (ValueError, asyncio.TimeoutError) as error:
        if not connection.is_open:
            reason = await connection.wait_closed()
            raise SshError(connection.name, Phase.LOST, f"the connection was lost: {reason}") from error
        raise SshError(connection.name, Phase.COMMAND, f"{python} does not tell the time: {error}") from error
    finally:
        await process.stop(1.0)


async def _asked(process: SshProcess) -> tuple[float, float]:
    """Returns how long an answer took, and how far the clock that it is from is ahead then."""
    asked, began = time.time(), time.monotonic()
    process.write(b"\n")
    answer = b""
    while not answer.endswith(b"\n"):
        if not (data := await process.read()):
            raise ValueError("it ended")
        answer += data
    took = time.monotonic() - began
    return took, float(answer) - asked - took / 2


def _free_bytes(line: str) -> int | None:
    """Returns the room that a line of `df -Pk` tells of."""
    told = re.search(r"(\d+)\s+\d+%\s", line)
    return int(told[1]) * 1024 if told else None


def _folder_problem(told: Mapping[str, str], directory: str, free: int | None, needed: int) -> str:
    if reason := told.get("problem", "nothing is known of it"):
        said = reason.rsplit(": ", 1)[-1]
        if said == "No space left on device":
            return f"the disk that {directory} is on is full"
        return f"its folder {directory} cannot be used: {said[:1].lower()}{said[1:]}"
    if free is not None and free < needed:
        room = f"only {free >> 20} MiB are free on the disk that {directory} is on"
        return f"{room}; {needed >> 20} MiB are needed"
    return ""


def _clock_problem(offset: float, tolerance: float) -> str:
    if abs(offset) <= tolerance:
        return ""
    direction = "ahead of" if offset > 0 else "behind"
    return f"its clock is {abs(offset):.0f} s {direction} this machine's; set it right, for instance by NTP"
