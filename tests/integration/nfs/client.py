"""Mounts what the NFS server exports as an experiment does, and tells what it finds, a JSON object a line."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from nni_manager.shared_storage.interface import SharedStorageError
from nni_manager.shared_storage.mounted_storage import MountedStorage
from nni_manager.shared_storage.mounting import mount_id
from nni_manager.shared_storage.nfs import nfs_storage

SERVER = "10.98.0.1"


@dataclass
class Result:
    exit_code: int
    stdout: bytes
    stderr: bytes


class OtherMachine:
    """Runs commands here, where another mount point than ours stands for another machine."""

    name = "gpu-a"

    async def run(self, command: str, *, input: bytes = b"", timeout: float = 60.0) -> Result:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", command, stdin=-1, stdout=-1, stderr=-1
        )
        out, err = await asyncio.wait_for(process.communicate(input), timeout)
        return Result(process.returncode or 0, out, err)


def storage(exported: str) -> MountedStorage:
    return nfs_storage(
        server=SERVER,
        exported_directory=exported,
        local_mount_point=Path("/mnt/here it is"),
        remote_mount_point="/mnt/there",
        local_mounted="nnimount",
        experiment_id="exp1",
    )


def mounted() -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [" ".join(line.split()[:3]) for line in lines if line.split()[2].startswith("nfs")]


def tell(what: str, **facts: object) -> None:
    print(json.dumps({"what": what, **facts}), flush=True)


async def use() -> None:
    shared, machine = storage("/open"), OtherMachine()
    await shared.open()
    folder = await shared.open_machine(machine)
    tell("open", mounts=mounted(), directory=folder.directory, is_shared=folder.is_shared)
    large = os.urandom(3_000_000)
    local = Path("/run/local")
    local.write_bytes(large)
    shared.files.upload(local, "trials/t1/weights")
    shared.files.append("spool", b"one\n", 0)
    shared.files.append("spool", b"two\n", 4)
    seen = Path(folder.directory, "trials/t1/weights").read_bytes() == large
    tell("files", seen=seen, spool=Path(folder.directory, "spool").read_text(), names=shared.files.names())
    second = storage("/open")
    await second.open()
    await shared.close()
    tell("in use", mounted=mount_id(Path("/mnt/here it is")) is not None)
    await second.close()
    await shared.close_machine(machine)
    tell("closed", mounts=mounted())


async def refused(exported: str) -> None:
    shared = storage(exported)
    began = time.monotonic()
    try:
        await shared.open()
    except SharedStorageError as error:
        tell(exported, error=str(error), mounts=mounted(), seconds=round(time.monotonic() - began, 1))
    else:
        await shared.close()
        tell(exported, error="")


async def main() -> None:
    await use()
    await refused("/nothing")
    await refused("/squashed")


asyncio.run(main())
