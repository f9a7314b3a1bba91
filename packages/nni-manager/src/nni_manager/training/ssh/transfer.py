"""Sends and fetches files by plain commands: a server may lack SFTP, or break it by a noisy .bashrc."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from nni_manager.training.ssh.errors import Phase, SshError
from nni_manager.training.ssh.shell import quoted_path

if TYPE_CHECKING:
    from nni_manager.training.ssh.connection import SshConnection
    from nni_manager.training.ssh.process import SshProcess

Progress = Callable[[int, int], None]
"""Is told how many bytes of how many were sent; called in the event loop's thread."""

_CHUNK = 1 << 18
_MISSING = 66
_INCOMPLETE = 67

# A connection that breaks ends the input too, so the size is looked at before the file gets its name.
_TAKE = """path={path}; part=$path.part.$$; umask 077
trap 'rm -f -- "$part"' EXIT
cat >"$part" || exit 1
[ "$(wc -c <"$part")" -eq {size} ] || exit {incomplete}
mv -f -- "$part" "$path" """

_GIVE = """path={path}; [ -e "$path" ] || exit {missing}; exec tail -c +{first} -- "$path" """


async def upload(connection: SshConnection, local: Path, remote: str, progress: Progress | None) -> None:
    """Sends a file, as SshConnection.upload says."""
    with local.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        short = False

        async def send(process: SshProcess) -> None:
            nonlocal short
            sent = 0
            while sent < size and (data := file.read(min(_CHUNK, size - sent))):
                if not await process.send(data):
                    return
                sent += len(data)
                if progress is not None:
                    progress(sent, size)
            short = sent < size

        command = _TAKE.format(path=quoted_path(remote), size=size, incomplete=_INCOMPLETE)
        result = await connection.stream(command, send, len)
    if short:
        raise OSError(f"{local} became shorter while it was sent")
    if result.exit_code != 0:
        reason = "it did not arrive completely" if result.exit_code == _INCOMPLETE else _said(result.stderr)
        raise _failed(connection, f"{local} cannot be sent to {remote}: {reason}")


async def download(connection: SshConnection, remote: str, local: Path, offset: int) -> int:
    """Fetches a file, as SshConnection.download says."""
    command = _GIVE.format(path=quoted_path(remote), missing=_MISSING, first=offset + 1)
    with _opened(local) as file:
        file.seek(offset)
        result = await connection.stream(command, _nothing, file.write)
        if result.exit_code == _MISSING:
            raise FileNotFoundError(f"{connection.name} has no file {remote}")
        if result.exit_code != 0:
            raise _failed(connection, f"{remote} cannot be fetched: {_said(result.stderr)}")
        return file.truncate()


def _opened(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")


async def _nothing(process: SshProcess) -> None:
    """Sends nothing."""


def _said(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "no reason is given"


def _failed(connection: SshConnection, reason: str) -> SshError:
    return SshError(connection.name, Phase.TRANSFER, reason)
