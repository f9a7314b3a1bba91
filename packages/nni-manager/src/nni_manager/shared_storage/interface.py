"""What a shared storage promises.

Rules:

1. An experiment has one folder in it: `nni/<experiment id>` below the mount points, or in the container.
   `SharedFiles` sees no other.
2. `open` finds out whether it can be used: what is written is read again and compared. `open_machine` does
   the same for a machine, across: each side reads what the other has written.
3. What was mounted here is unmounted by `close`, and on a machine by `close_machine`, unless somebody else
   uses it; what others mounted is left alone.
4. Names of files are relative, with "/", and stay in the folder. Reading a file that does not exist gives
   no bytes. Methods of `SharedFiles` block.
5. Accounts' keys and signatures are in no argument of a command, in no log, in no error and in no `repr`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_PART = re.compile(r"[^/\0]+")


class SharedStorageError(Exception):
    """The storage cannot be used; the text is one sentence that says what failed where, and why."""


class StorageAwayError(SharedStorageError):
    """The storage does not answer now, and may later."""


class CommandResult(Protocol):
    """How a command on a machine ended."""

    @property
    def exit_code(self) -> int:
        """Its exit code."""

    @property
    def stdout(self) -> bytes:
        """What it wrote."""

    @property
    def stderr(self) -> bytes:
        """What it wrote there."""


class Machine(Protocol):
    """A machine that trials run on, as an SSH connection shows it."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    async def run(self, command: str, *, input: bytes = b"", timeout: float = 60.0) -> CommandResult:
        """Runs a command for `/bin/sh` with this standard input."""


@dataclass(frozen=True, slots=True)
class MachineFolder:
    """The experiment's folder on a machine.

    Attributes:
        directory: The folder, as the machine names it.
        is_shared: Whether it lies in the storage. Otherwise what is to be shared is sent and fetched there by
            `python -m nni.blob_transfer`, with what `transfer_input` returns as its standard input.
    """

    directory: str
    is_shared: bool


class SharedFiles(Protocol):
    """The files of one experiment. Every method may raise SharedStorageError."""

    @property
    def costs_requests(self) -> bool:
        """Whether looking at files is a request to a server that counts them, so that one does it seldom."""

    def read(self, name: str, offset: int = 0, limit: int | None = None) -> bytes:
        """Returns what a file holds from a position on, at most `limit` bytes; b"" where there is nothing."""

    def write(self, name: str, data: bytes) -> None:
        """Writes a file, whole or not at all."""

    def append(self, name: str, data: bytes, position: int) -> None:
        """Adds to a file that holds so many bytes; doing it again, after an answer got lost, adds nothing.

        Raises:
            SharedStorageError: The file has another length, so that somebody else writes to it.
        """

    def upload(self, local: Path, name: str) -> None:
        """Puts a local file there, whole or not at all.

        Raises:
            OSError: The local file cannot be read.
        """

    def download(self, name: str, local: Path) -> None:
        """Fetches a file to a local place, whose folder exists; it appears there when it is complete.

        Raises:
            OSError: It cannot be written there.
        """

    def size(self, name: str) -> int:
        """Returns how many bytes a file has, 0 where there is none."""

    def names(self, folder: str = "") -> list[str]:
        """Returns the files in a folder, and in those below it, sorted."""

    def sizes(self, folder: str = "") -> Mapping[str, int]:
        """Returns how many bytes each of the files has that `names` returns."""

    def grown(self, folder: str, known: Mapping[str, int]) -> set[str]:
        """Returns which files hold more than so many bytes, whoever wrote them, by as few looks as it takes.

        Args:
            folder: The folder that all of them are in, or below.
            known: The files, each with how much of it is known; they need not be there.
        """

    def remove(self, name: str) -> None:
        """Removes a file, or a folder with all that is in it; what does not exist is removed already."""

    def remove_empty_folders(self) -> None:
        """Removes folders without a file, the experiment's own and the one that it is in among them."""


class SharedStorage(Protocol):
    """A storage, opened for one experiment."""

    @property
    def local_directory(self) -> Path | None:
        """The experiment's folder as this machine sees it, None where it is not mounted here."""

    @property
    def remote_directory(self) -> str:
        """The experiment's folder on the machines that trials run on."""

    @property
    def files(self) -> SharedFiles:
        """The files in it."""

    async def open(self) -> None:
        """Mounts it if that is wanted, makes the experiment's folder and tries it.

        Raises:
            SharedStorageError: It cannot be used.
        """

    async def open_machine(self, machine: Machine) -> MachineFolder:
        """Gets it ready on a machine, and tries whether both see the same.

        Raises:
            SharedStorageError: It cannot be used there.
        """

    async def transfer_input(self) -> bytes:
        """Returns what `python -m nni.blob_transfer` needs to know, a signature among it.

        It is b"" where all is mounted.

        Raises:
            SharedStorageError: There is no such signature.
        """

    async def close_machine(self, machine: Machine) -> None:
        """Unmounts what was mounted there, unless it is in use. Problems are logged."""

    async def close(self) -> None:
        """Unmounts what was mounted here, unless it is in use. Problems are logged."""


def checked_name(name: str) -> str:
    """Returns the name of a file or a folder if it stays in the experiment's folder.

    Raises:
        SharedStorageError: It does not.
    """
    parts = name.split("/")
    if not all(_PART.fullmatch(part) for part in parts) or {".", ".."} & set(parts):
        raise SharedStorageError(
            f"{name!r} is not the name of a shared file: no /, . or .. may lead out of it"
        )
    return name


def first_line(text: str | bytes) -> str:
    """Returns the first line of what a program said that is not blank, "" where there is none."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
