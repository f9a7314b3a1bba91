"""A container is mounted for real: by rclone, and by a stand-in for blobfuse2 with the same options."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nni.blob_transfer import BlobContainer
from nni_manager.shared_storage.azure_blob import Container, azure_storage
from nni_manager.shared_storage.interface import SharedStorage
from nni_manager.shared_storage.mounting import mount_id
from workspace.azurite import BlobAccount

pytestmark = pytest.mark.slow

# What the documentation of blobfuse2 has: options of `blobfuse2 mount`, and variables of the environment.
STAND_IN = """\
#!{python}
import argparse, json, os, sys
parser = argparse.ArgumentParser(prog="blobfuse2", allow_abbrev=False)
mount = parser.add_subparsers(dest="command", required=True).add_parser("mount", allow_abbrev=False)
mount.add_argument("path")
mount.add_argument("--container-name", required=True)
mount.add_argument("--tmp-path", required=True)
mount.add_argument("--virtual-directory", choices=["true", "false"])
for name in ("file-cache", "attr-cache", "attr", "entry", "negative"):
    mount.add_argument(f"--{{name}}-timeout", type=int, default=120)
options = parser.parse_args()
if os.listdir(options.tmp_path):
    sys.exit("Error: failed to initialize new pipeline [temp directory not empty]")
settings = {{name.removeprefix("AZURE_STORAGE_"): value for name, value in os.environ.items()
            if name.startswith("AZURE_STORAGE_")}}
with open({record!r}, "a") as record:
    record.write(json.dumps({{"arguments": sys.argv[1:], **vars(options), "settings": settings}}) + "\\n")
how = {{"TYPE": "azureblob", "ACCOUNT": settings["ACCOUNT"]}}
if settings["AUTH_TYPE"] == "key":
    how |= {{"KEY": settings["ACCESS_KEY"], "ENDPOINT": settings["BLOB_ENDPOINT"]}}
else:
    url = settings["BLOB_ENDPOINT"].rstrip("/")
    how |= {{"SAS_URL": f"{{url}}/{{options.container_name}}?{{settings['SAS_TOKEN']}}"}}
for name, value in how.items():
    os.environ[f"RCLONE_CONFIG_IT_{{name}}"] = value
seen = max(options.entry_timeout, options.negative_timeout, options.attr_cache_timeout)
os.execvp("rclone", [
    "rclone", "mount", f"it:{{options.container_name}}", options.path, "--config=", "--daemon",
    "--vfs-cache-mode=writes", "--vfs-write-back=1s", f"--dir-cache-time={{seen}}s",
    f"--cache-dir={{options.tmp_path}}",
])
"""


@dataclass
class Result:
    exit_code: int
    stdout: bytes
    stderr: bytes


class OtherMachine:
    """Runs commands here, where another mount point than ours stands for another machine."""

    name = "gpu-a"

    def __init__(self) -> None:
        self.commands: list[str] = []

    async def run(self, command: str, *, input: bytes = b"", timeout: float = 60.0) -> Result:
        self.commands.append(command)
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", command, stdin=-1, stdout=-1, stderr=-1
        )
        out, err = await asyncio.wait_for(process.communicate(input), timeout)
        return Result(process.returncode or 0, out, err)


@pytest.fixture(params=["blobfuse2", "rclone"])
def program(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What mounts it; what the stand-in was told is in `record`, one call a line."""
    folders = [str(tmp_path / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))
    monkeypatch.setenv("NNI_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "run").mkdir(mode=0o700)
    (tmp_path / "bin").mkdir()
    (tmp_path / "record").touch()
    if request.param == "blobfuse2":
        path = tmp_path / "bin" / "blobfuse2"
        path.write_text(STAND_IN.format(python=sys.executable, record=str(tmp_path / "record")))
        path.chmod(0o755)
    name: str = request.param
    return name


@pytest.fixture
def points(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A mount point of this machine and one of the other; unmounted at the end."""
    points = tmp_path / "here it is", tmp_path / "there"
    yield points
    for point in points:
        if mount_id(point) is not None:
            subprocess.run(["umount", "-l", str(point)], check=True)
    # rclone goes on trying to put away what it has of a container that is gone.
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            is_ours = any(os.fsencode(point) in path.read_bytes() for point in points)
        except OSError:  # it has ended meanwhile
            continue
        if is_ours:
            os.kill(int(path.parent.name), signal.SIGKILL)


@pytest.fixture
def make(blob_account: BlobAccount, points: tuple[Path, Path]) -> Callable[..., SharedStorage]:
    def make(**changed: Any) -> SharedStorage:
        facts = {"account": blob_account.name, "name": blob_account.container, "url": blob_account.url}
        return azure_storage(
            Container(**{**facts, "key": blob_account.key, **changed}),
            local_mount_point=points[0],
            remote_mount_point=str(points[1]),
            local_mounted="nnimount",
            experiment_id="exp1",
        )

    return make


async def signature(account: BlobAccount) -> str:
    storage = azure_storage(
        Container(account.name, account.container, account.url, account.key),
        local_mount_point=Path("/not used"),
        remote_mount_point="/m",
        local_mounted="nomount",
        experiment_id="exp1",
    )
    url: str = json.loads(await storage.transfer_input())["url"]
    await storage.close()
    return url.partition("?")[2]


@pytest.mark.parametrize("opened_by", ["key", "signature"])
async def test_it_is_mounted_on_both_sides_used_and_unmounted(
    make: Any, points: Any, program: str, opened_by: str, blob_account: BlobAccount, tmp_path: Path
) -> None:
    here, there = points
    token = await signature(blob_account)
    secret = blob_account.key if opened_by == "key" else token
    shared = make() if opened_by == "key" else make(key="", sas_token=token)
    machine = OtherMachine()
    await shared.open()
    assert mount_id(here) is not None
    folder = await shared.open_machine(machine)
    assert mount_id(there) is not None
    assert folder.directory == f"{there}/nni/exp1" and folder.is_shared
    shared.files.write("trials/t1/result", b"7")
    await until(lambda: Path(folder.directory, "trials/t1/result").read_bytes() == b"7")
    # What a job has put there without a mount is seen in the mounts.
    BlobContainer(f"{blob_account.url}/{blob_account.container}?{token}", "nni/exp1").write(
        "jobs/j1/log", b"text"
    )
    await until(lambda: Path(folder.directory, "jobs/j1/log").read_bytes() == b"text")
    await shared.close_machine(machine)
    await shared.close()
    assert mount_id(here) is None and mount_id(there) is None
    assert {"nni/exp1/trials/t1/result", "nni/exp1/jobs/j1/log"} <= set(blob_account.names())
    assert not [name for name in blob_account.names() if ".probe/" in name]
    assert not any(secret in line for line in machine.commands), "secrets are no arguments"
    if program == "blobfuse2":
        calls = [json.loads(line) for line in (tmp_path / "record").read_text().splitlines()]
        assert [call["path"] for call in calls] == [str(here), str(there)]
        for call in calls:
            assert call["container_name"] == blob_account.container
            assert secret not in " ".join(call["arguments"])
            given = {"ACCESS_KEY": secret, "AUTH_TYPE": "key"}
            if opened_by == "signature":
                given = {"SAS_TOKEN": secret, "AUTH_TYPE": "sas"}
            assert call["settings"] == {
                "ACCOUNT": blob_account.name,
                "BLOB_ENDPOINT": blob_account.url,
                **given,
            }
            assert Path(call["tmp_path"]).stat().st_mode & 0o077 == 0


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits until something is so; a file that is not seen yet is not so."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        try:
            if await asyncio.to_thread(condition):
                return
        except FileNotFoundError:
            if loop.time() > deadline:
                raise
        assert loop.time() < deadline
        await asyncio.sleep(0.1)
