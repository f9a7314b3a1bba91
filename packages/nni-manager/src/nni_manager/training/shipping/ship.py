"""Takes archives to a machine and unpacks them there."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import secrets
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.shipping.archive import Archive
from nni_manager.training.shipping.sdk import pack_sdk
from nni_manager.training.shipping.sizes import size_text

UNPACK_SECONDS = 3600.0
"""How long unpacking may take; on a slow file server each file may take a tenth of a second."""

_PREPARE_SECONDS = 120.0
_BLOCK_BYTES = 4096
_LINES_SHOWN = 3

Progress = Callable[[int, int], None]


class ShippingError(TrainingServiceError):
    """The machine could not take what was sent; the text says why."""


class Result(Protocol):
    """How a command ended."""

    @property
    def exit_code(self) -> int:
        """Its exit code."""

    @property
    def stdout(self) -> bytes:
        """What it wrote."""

    @property
    def stderr(self) -> bytes:
        """What it wrote there."""


class Connection(Protocol):
    """What is needed of a connection to a machine (training/ssh/connection.py)."""

    async def run(self, command: str, *, input: bytes = b"", timeout: float = ...) -> Result:
        """Runs a command for /bin/sh."""

    async def upload(self, local: Path, remote: str, progress: Progress | None = None) -> None:
        """Sends a file."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """Where things are on a machine.

    Attributes:
        directory: The experiment's folder, absolute.
        code_directory: The code.
        sdk_directory: What belongs on PYTHONPATH for the SDK and the courier.
    """

    directory: str
    code_directory: str
    sdk_directory: str


async def ship(
    connection: Connection,
    code: Archive,
    remote_directory: str,
    python: str,
    progress: Progress | None = None,
) -> Shipped:
    """Sees to it that the code and the SDK are on a machine; sends only what is not there.

    It may be done again at any time, by several managers at the same time, and after any failure.

    Args:
        connection: The connection to the machine.
        code: The code.
        remote_directory: The experiment's folder there, absolute or with "~/" before it; it is made if it is
            not there, for the user alone.
        python: The Python there, 3.8 or later.
        progress: Is told how many bytes of how many of the code were sent.

    Raises:
        ShippingError: It cannot be unpacked there.
        TrainingServiceError: The SDK cannot be packed, or the connection was lost.
    """
    sdk = await asyncio.to_thread(pack_sdk, code.path.parent)
    archives = {f"code/{code.sha256}": code, f"sdk/{sdk.sha256}": sdk}
    there = await call(connection, python, "prepare", directory=remote_directory, folders=list(archives))
    directory = str(there["directory"])
    missing = {folder: archive for folder, archive in archives.items() if folder not in there["there"]}
    _check_space(directory, list(missing.values()), int(there["free_bytes"]))
    for folder, archive in missing.items():
        target = f"{directory}/{folder}"
        incoming = f"{target.rpartition('/')[0]}/.incoming-{secrets.token_hex(8)}"
        await connection.upload(archive.path, incoming, progress if archive is code else None)
        await call(connection, python, "unpack", archive=incoming, folder=target, sha256=archive.sha256)
    code_directory, sdk_directory = (f"{directory}/{folder}" for folder in archives)
    return Shipped(directory, code_directory, sdk_directory)


async def remove_there(connection: Connection, python: str, directory: str) -> list[str]:
    """Removes a folder on a machine. Whenever that is interrupted, no part of it is left under its name.

    Args:
        connection: The connection to the machine.
        python: The Python there.
        directory: The folder.

    Returns:
        What could not be removed.

    Raises:
        ShippingError: Nothing of it can be removed.
    """
    done = await call(connection, python, "remove", folder=directory)
    return [str(path) for path in done["left"]]


async def call(connection: Connection, python: str, function: str, **arguments: Any) -> dict[str, Any]:
    """Calls a function of nni.unpack on a machine, where nothing of ours needs to be.

    Args:
        connection: The connection to the machine.
        python: The Python there.
        function: Its name.
        arguments: Its arguments, JSON values.

    Raises:
        ShippingError: It could not do what it is to do.
    """
    request = json.dumps({"do": function, **arguments})
    program = f"{_program()}\nmain({request!a})\n".encode("ascii")
    timeout = UNPACK_SECONDS if function != "prepare" else _PREPARE_SECONDS
    result = await connection.run(f"{shlex.quote(python)} -I -S -", input=program, timeout=timeout)
    lines = [line for line in result.stdout.splitlines() if line.startswith(b"nni-reply ")]
    if not lines:
        last = result.stderr.decode("utf-8", "replace").strip().splitlines()[-_LINES_SHOWN:]
        said = " / ".join(last) or "no output"
        raise ShippingError(f"{python} on the machine ended with exit code {result.exit_code}: {said}")
    answer: dict[str, Any] = json.loads(lines[-1].partition(b" ")[2])
    if "problem" in answer:
        raise ShippingError(str(answer["problem"]))
    return answer


def _check_space(directory: str, missing: list[Archive], free_bytes: int) -> None:
    needed = sum(
        each.packed_byte_count + each.byte_count + _BLOCK_BYTES * each.file_count for each in missing
    )
    if needed > free_bytes:
        raise ShippingError(
            f"the disk of {directory!a} has {size_text(free_bytes)} left, the code needs {size_text(needed)}"
        )


def _program() -> str:
    found = importlib.util.find_spec("nni.unpack")
    if found is None or found.origin is None:
        raise TrainingServiceError("the trial SDK is not installed beside the manager: pip install nni-trial")
    return Path(found.origin).read_text("ascii")
