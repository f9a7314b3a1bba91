"""One connection to a machine; any number of commands and transfers run over it side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nni_manager.training.ssh.process import SshProcess
from nni_manager.training.ssh.target import SshTarget

Progress = Callable[[int, int], None]
"""Is told how many bytes of how many were sent; called in the event loop's thread."""

COMMAND_SECONDS = 60.0
"""How long a command may take if nothing else is said."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a command ended.

    Attributes:
        exit_code: Its exit code; 128 + n if signal n ended it.
        stdout: What it wrote, without what the user's start-up files (.bashrc) wrote before.
        stderr: Likewise.
    """

    exit_code: int
    stdout: bytes
    stderr: bytes


class SshConnection:
    """A connection to a machine. It does not come back when it is lost: open another."""

    @classmethod
    async def open(cls, target: SshTarget) -> SshConnection:
        """Connects and signs in.

        Raises:
            SshError: The machine cannot be reached, is not the one it says it is, or refuses the user.
        """
        raise NotImplementedError

    @property
    def name(self) -> str:
        """The machine's name."""
        raise NotImplementedError

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        raise NotImplementedError

    async def run(
        self, command: str, *, input: bytes = b"", timeout: float = COMMAND_SECONDS, check: bool = False
    ) -> RunResult:
        """Runs a command for `/bin/sh`, whatever the user's own shell is.

        Args:
            command: The command. It can be seen by others there: no secrets.
            input: Its standard input.
            timeout: After so many seconds it is killed, with all processes of its group.
            check: Whether an exit code other than 0 is a problem.

        Raises:
            SshError: The connection was lost (Phase.LOST), no command can be run, it took too long, or it
                failed and check is set; then with the last line of its stderr.
        """
        raise NotImplementedError

    async def start(self, command: str) -> SshProcess:
        """Starts a command for `/bin/sh` and returns once it runs; nothing limits its time.

        Raises:
            SshError: The connection was lost (Phase.LOST), or no command can be run.
        """
        raise NotImplementedError

    async def upload(self, local: Path, remote: str, progress: Progress | None = None) -> None:
        """Sends a file. It appears there under its name, with mode 0600, when it is complete.

        Args:
            local: The file here.
            remote: Its path there, in a folder that exists; one that starts with "~/" is in the user's home.
            progress: Is told how far it is.

        Raises:
            SshError: The file cannot be written there, or the connection was lost (Phase.LOST).
            OSError: The file here cannot be read.
        """
        raise NotImplementedError

    async def download(self, remote: str, local: Path, offset: int = 0) -> int:
        """Fetches a file, or what follows after so many bytes of it, to the same place of the local file.

        Args:
            remote: Its path there; one that starts with "~/" is in the user's home.
            local: The file here; its folder exists. It is cut off after what was fetched.
            offset: How many bytes to leave out.

        Returns:
            The size of the local file then.

        Raises:
            FileNotFoundError: There is no such file there.
            SshError: The file cannot be read there, or the connection was lost (Phase.LOST).
            OSError: The file here cannot be written.
        """
        raise NotImplementedError

    async def wait_closed(self) -> str:
        """Waits until the connection is lost or closed, and returns why, in words."""
        raise NotImplementedError

    async def close(self) -> None:
        """Ends it and everything that runs over it; closing twice does nothing."""
        raise NotImplementedError
