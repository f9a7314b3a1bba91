"""Finds out whether a storage works, by writing to it and reading that again."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import shlex
import time
from collections.abc import Callable
from pathlib import Path

from nni_manager.shared_storage.interface import (
    Machine,
    SharedFiles,
    SharedStorageError,
    first_line,
)

FOLDER = ".probe"
"""Where the files are that are written for this, in the experiment's folder."""

VISIBLE_SECONDS = 15.0
"""How long what one side wrote may take until the other sees it: mounts remember what they have seen."""

_PAUSE = 0.5
_REFUSALS = (errno.EACCES, errno.EPERM)
_READ_ONLY = "; it is mounted, or its server exports it, for reading only"


class Probe:
    """A file that this machine has written, for others to find."""

    def __init__(self, files: SharedFiles, describe: Callable[[], str]) -> None:
        """Writes nothing yet.

        Args:
            files: The experiment's files.
            describe: Returns what else is said when this machine may not write.
        """
        self._files = files
        self._describe = describe
        self.name = f"{FOLDER}/{secrets.token_hex(8)}"
        self.content = secrets.token_hex(32)
        self._is_written = False

    async def try_here(self) -> None:
        """Writes the file and reads it again.

        Raises:
            SharedStorageError: That does not work.
        """
        try:
            await asyncio.to_thread(self._files.write, self.name, self.content.encode())
            self._is_written = True
            found = await asyncio.to_thread(self._files.read, self.name)
        except SharedStorageError as error:
            number = getattr(error.__cause__, "errno", None)
            if number == errno.EROFS:
                raise SharedStorageError(f"{error}{_READ_ONLY}") from error
            if number not in _REFUSALS:
                raise
            raise SharedStorageError(f"{error}{await asyncio.to_thread(self._describe)}") from error
        if found != self.content.encode():
            raise SharedStorageError(
                f"the shared storage keeps nothing: {self.name} was written there and holds {found[:70]!r}"
            )

    async def is_seen(self, machine: Machine, directory: str, seconds: float = 0.0) -> bool:
        """Returns whether a machine finds the file in a folder of its own.

        Args:
            machine: The machine.
            directory: The experiment's folder there.
            seconds: For how long it looks.
        """
        path = shlex.quote(f"{directory}/{self.name}")
        deadline = time.monotonic() + seconds
        while True:
            result = await machine.run(f"LC_ALL=C cat -- {path}")
            if result.exit_code == 0 and result.stdout == self.content.encode():
                return True
            if b"Permission denied" in result.stderr:
                raise SharedStorageError(
                    f"{machine.name}: what is written here (by user {os.getuid()}) cannot be read there: "
                    f"{first_line(result.stderr)}{await _owner_there(machine, directory)}"
                )
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(_PAUSE)

    async def try_there(self, machine: Machine, directory: str) -> None:
        """Has a machine write a file, and reads it here.

        Args:
            machine: The machine.
            directory: The experiment's folder there.

        Raises:
            SharedStorageError: That does not work.
        """
        name, content = f"{self.name}-{secrets.token_hex(4)}", secrets.token_hex(32)
        path = shlex.quote(f"{directory}/{name}")
        result = await machine.run(f"export LC_ALL=C; umask 077; cat > {path}", input=content.encode())
        if result.exit_code != 0:
            said = first_line(result.stderr)
            is_read_only = os.strerror(errno.EROFS) in said
            why = _READ_ONLY if is_read_only else await _owner_there(machine, directory)
            raise SharedStorageError(f"{machine.name}: {directory} cannot be written: {said}{why}")
        deadline = time.monotonic() + VISIBLE_SECONDS
        try:
            while (found := await asyncio.to_thread(self._files.read, name)) != content.encode():
                if time.monotonic() >= deadline:
                    what = (
                        "nothing of it is seen here" if not found else f"what is seen here is {found[:70]!r}"
                    )
                    raise SharedStorageError(
                        f"{machine.name}: what it wrote to {directory} does not arrive: {what} after "
                        f"{VISIBLE_SECONDS:.0f} seconds"
                    )
                await asyncio.sleep(_PAUSE)
        except SharedStorageError as error:
            raise SharedStorageError(f"what {machine.name} wrote is not usable here: {error}") from error
        finally:
            with contextlib.suppress(SharedStorageError):
                await asyncio.to_thread(self._files.remove, name)

    async def remove(self) -> None:
        """Removes the file. A storage that took none is not asked: it may take long to answer."""
        if not self._is_written:
            return
        with contextlib.suppress(SharedStorageError):
            await asyncio.to_thread(self._files.remove, FOLDER)


def who_may_write(directory: Path) -> str:
    """Returns who a folder belongs to and who we are, for the message that says that it cannot be written."""
    place = directory
    while True:
        try:
            found = place.stat()
            break
        except OSError:
            if place == place.parent:
                return ""
            place = place.parent
    return _rights(str(place), found.st_uid, oct(found.st_mode & 0o7777)[2:], os.getuid())


async def _owner_there(machine: Machine, directory: str) -> str:
    path = shlex.quote(directory)
    script = f'd={path}; while [ ! -e "$d" ]; do d=$(dirname "$d"); done; stat -c "%u %a %n" "$d"; id -u'
    result = await machine.run(f"sh -c {shlex.quote(script)}")
    lines = result.stdout.decode("utf-8", "replace").splitlines()
    try:
        (owner, mode, place), user = lines[0].split(" ", 2), int(lines[1])
        return _rights(place, int(owner), mode, user)
    except (ValueError, IndexError):
        return ""


def _rights(place: str, owner: int, mode: str, user: int) -> str:
    text = f"; {place} belongs to user {owner}, its mode is {mode}, and this is user {user}"
    if user == 0:
        return f"{text}: an NFS server that squashes root (root_squash, the default) gives root no rights"
    return f"{text}: who runs the manager and who runs the trials must be the same user of the storage"
