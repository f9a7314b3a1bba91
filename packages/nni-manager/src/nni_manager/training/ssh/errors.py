"""What can go wrong between here and a machine."""

from __future__ import annotations

from enum import Enum

from nni_manager.training.interface import TrainingServiceError


class Phase(str, Enum):
    """What was being done when it went wrong."""

    SETTINGS = "settings"
    """Reading the SSH configuration of the user."""
    CONNECT = "connect"
    """Finding the machine and getting its SSH server to answer."""
    HOST_KEY = "host key"
    """Making sure that it is the machine it says it is."""
    SIGN_IN = "sign-in"
    """Signing in as the user."""
    COMMAND = "command"
    """Running a command on it."""
    TRANSFER = "transfer"
    """Sending or fetching a file."""
    LOST = "lost"
    """Keeping the connection; another one may work."""


class SshError(TrainingServiceError):
    """A machine cannot be used as asked; the text is one sentence that begins with the machine's name.

    Attributes:
        machine: The machine's name.
        phase: What was being done.
        reason: The sentence without the machine's name.
    """

    def __init__(self, machine: str, phase: Phase, reason: str) -> None:
        """Says what went wrong where.

        Args:
            machine: The machine's name.
            phase: What was being done.
            reason: Why it failed and, where that is known, what to do. No secrets.
        """
        super().__init__(f"{machine}: {reason}")
        self.machine = machine
        self.phase = phase
        self.reason = reason
