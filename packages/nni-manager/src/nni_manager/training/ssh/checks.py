"""Whether a machine has what trials need."""

from __future__ import annotations

from dataclasses import dataclass

from nni_manager.training.ssh.connection import SshConnection

CLOCK_TOLERANCE = 60.0
"""How many seconds the clock of a machine may differ from ours."""


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What was found on a machine.

    Attributes:
        home: The user's home folder.
        directory: The folder that may be used there, absolute; it exists, with mode 0700.
        python: The path of a Python interpreter, 3.8 or later.
        python_version: Its version, such as "3.8.18".
        free_bytes: How much room the folder has.
        clock_offset: How many seconds its clock is ahead of ours; behind if negative.
        hostname: What it calls itself.
    """

    home: str
    directory: str
    python: str
    python_version: str
    free_bytes: int
    clock_offset: float
    hostname: str


async def check_machine(
    connection: SshConnection,
    directory: str,
    *,
    python_path: str | None = None,
    needed_bytes: int = 64 * 2**20,
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
        SshError: The connection was lost (Phase.LOST).
    """
    raise NotImplementedError
