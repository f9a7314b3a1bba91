"""Azure Blob storage, as its emulator answers: from the manager's side and from that of a job."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nni import blob_transfer
from nni.blob_transfer import BlobContainer, BlobError
from nni_manager.shared_storage.azure_blob import AzureBlobStorage, Container, azure_storage, mount_programs
from nni_manager.shared_storage.interface import SharedFiles, SharedStorageError

SDK = str(Path(blob_transfer.__file__).parents[1])


@dataclass
class Result:
    exit_code: int
    stdout: bytes
    stderr: bytes


class OtherMachine:
    """Runs commands here, where neither blobfuse2 nor rclone is found."""

    name = "gpu-a"

    async def run(self, command: str, *, input: bytes = b"", timeout: float = 60.0) -> Result:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", command, stdin=-1, stdout=-1, stderr=-1, env={"PATH": "/usr/bin:/bin"}
        )
        out, err = await asyncio.wait_for(process.communicate(input), timeout)
        return Result(process.returncode or 0, out, err)


@pytest.fixture
def container(blob_account: Any) -> Container:
    return Container(blob_account.name, blob_account.container, blob_account.url, blob_account.key)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., AzureBlobStorage]:
    def make(container: Container, **changed: Any) -> AzureBlobStorage:
        settings = {
            "local_mount_point": tmp_path / "not used",
            "remote_mount_point": str(tmp_path / "there"),
            "local_mounted": "nomount",
            "experiment_id": "exp1",
        }
        storage = azure_storage(container, **{**settings, **changed})
        assert isinstance(storage, AzureBlobStorage)
        return storage

    return make


async def secret_of(storage: AzureBlobStorage) -> dict[str, str]:
    return json.loads(await storage.transfer_input())


@pytest.fixture(params=["manager", "job"])
async def files(request: pytest.FixtureRequest, container: Container, make: Any) -> Any:
    """The same promises, kept by two programs."""
    storage = make(container)
    if request.param == "manager":
        yield storage.files
    else:
        secret = await secret_of(storage)
        yield BlobContainer(secret["url"], secret["prefix"])
    await storage.close()


def test_files_are_written_and_read_from_anywhere(files: SharedFiles) -> None:
    assert files.read("a/b") == b"" and files.size("a/b") == 0 and files.names() == []
    files.write("a/b", b"0123456789")
    assert (files.read("a/b", 3), files.read("a/b", 3, 4), files.read("a/b", 10)) == (
        b"3456789",
        b"3456",
        b"",
    )
    assert files.size("a/b") == 10
    files.write("a/b", b"new")
    files.write("a/ü & b?#%", b"odd")
    files.write("empty", b"")
    assert files.read("a/b") == b"new" and files.read("a/ü & b?#%") == b"odd" and files.read("empty") == b""
    assert files.names() == ["a/b", "a/ü & b?#%", "empty"] and files.names("a") == ["a/b", "a/ü & b?#%"]
    for name in ("a/b", "a/b", "a/ü & b?#%", "empty"):
        files.remove(name)
    assert files.names() == []


def test_appending_again_adds_nothing(files: SharedFiles) -> None:
    files.append("f", b"one\n", 0)
    files.append("f", b"one\n", 0)
    files.append("f", b"two\n", 4)
    files.append("f", b"two\n", 4)
    assert files.read("f") == b"one\ntwo\n"
    for data, position in ((b"x", 0), (b"x", 4), (b"more", 20)):
        with pytest.raises((SharedStorageError, BlobError), match="somebody else writes to it"):
            files.append("f", data, position)
    large = os.urandom(9_000_000)
    files.append("f", large, 8)
    assert files.read("f", 8) == large


def test_large_files_go_up_and_down(files: SharedFiles, tmp_path: Path) -> None:
    local, back = tmp_path / "local", tmp_path / "back"
    for size in (0, 1000, 8 << 20, 20_000_003):
        local.write_bytes(os.urandom(size))
        files.upload(local, "code/archive")  # type: ignore[arg-type]
        files.download("code/archive", back)
        assert back.read_bytes() == local.read_bytes() and back.stat().st_mode & 0o077 == 0
    with pytest.raises((SharedStorageError, BlobError), match="nothing"):
        files.download("nothing", tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        files.upload(tmp_path / "none", "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "local"]


def test_markers_of_folders_are_no_files(files: SharedFiles, container: Container) -> None:
    from azure.storage.blob import BlobServiceClient

    files.write("a/b", b"1")
    with BlobServiceClient(container.account_url, credential=container.key) as service:
        client = service.get_container_client(container.name)
        client.upload_blob("nni/exp1/a", b"", metadata={"hdi_isfolder": "true"})
    assert files.names() == ["a/b"]


async def test_only_files_that_grew_are_named(container: Container, make: Any) -> None:
    storage = make(container)
    files = storage.files
    files.append("a/new", b"12345", 0)
    files.append("a/b/known", b"123", 0)
    assert files.grown("a", {"a/new": 4, "a/b/known": 3, "a/missing": 0}) == {"a/new"}
    assert files.sizes("a") == {"a/new": 5, "a/b/known": 3}
    assert files.sizes("nothing") == {}
    assert files.costs_requests
    await storage.close()


def test_what_one_side_appends_the_other_reads(container: Container, make: Any) -> None:
    storage = make(container)
    secret = asyncio.run(secret_of(storage))
    job = BlobContainer(secret["url"], secret["prefix"])
    job.append("spool", b"from the job\n", 0)
    assert storage.files.read("spool") == b"from the job\n"
    storage.files.append("orders", b"from the manager\n", 0)
    assert job.read("orders", 5) == b"the manager\n"
    with pytest.raises(SharedStorageError, match="somebody else"):
        storage.files.append("spool", b"x", 3)
    asyncio.run(storage.close())


# The storage


async def test_a_storage_is_tried_and_leaves_nothing(container: Container, make: Any) -> None:
    storage = make(container)
    await storage.open()
    assert storage.local_directory is None
    assert [name.split("/")[0] for name in storage.files.names()] == [".probe"]
    storage.files.write("result", b"1")
    assert BlobContainer((await secret_of(storage))["url"]).read("nni/exp1/result") == b"1"
    storage.files.remove("result")
    await storage.close()
    assert BlobContainer(f"{container}?{make(container)._signature()}").names() == []


async def test_a_machine_without_a_mount_gets_a_folder_that_is_sent(
    container: Container, make: Any, tmp_path: Path
) -> None:
    storage = make(container)
    await storage.open()
    folder = await storage.open_machine(OtherMachine())
    assert folder.directory == str(tmp_path / "there" / "nni" / "exp1") and not folder.is_shared
    assert Path(folder.directory).stat().st_mode & 0o077 == 0
    await storage.close_machine(OtherMachine())
    await storage.close()
    (tmp_path / "file").touch()
    storage = make(container, remote_mount_point=str(tmp_path / "file"))
    await storage.open()
    with pytest.raises(
        SharedStorageError, match=r"gpu-a: .* is not mounted there, and .* cannot be made: mkdir"
    ):
        await storage.open_machine(OtherMachine())
    await storage.close()


async def test_a_signature_in_place_of_a_key(container: Container, make: Any) -> None:
    with_key = make(container)
    token = (await secret_of(with_key))["url"].partition("?")[2]
    for given in (token, f"?{token}"):
        storage = make(Container(container.account, container.name, container.url, sas_token=given))
        await storage.open()
        assert (await secret_of(storage))["url"] == f"{container}?{token}"
        await storage.close()
    await with_key.close()


WRONG = "d3Jvbmcga2V5IG9mIGFuIGFjY291bnQ="


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"key": WRONG}, r"Server failed to authenticate the request.*\(AuthorizationFailure\)"),
        ({"name": "no-such-container"}, r"The specified container does not exist.*\(ContainerNotFound\)"),
        (
            {"key": "", "sas_token": "sv=2020-10-02&sr=c&sp=rw&se=2030-01-01&sig=c2VjcmV0c2lnbmF0dXJl"},
            r"Auth",
        ),
    ],
)
async def test_what_is_wrong_is_named_and_no_secret_is_shown(
    container: Container,
    make: Any,
    changed: dict[str, str],
    expected: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    facts = {"account": container.account, "name": container.name, "url": container.url, "key": container.key}
    wrong = Container(**{**facts, **changed})
    storage = make(wrong)
    with pytest.raises(SharedStorageError, match=expected) as raised:
        await storage.open()
    assert str(raised.value).startswith(f"{wrong}: .probe/")
    shown = "".join([caplog.text, repr(wrong), repr(storage), str(raised.value), *tracebacks(raised.value)])
    for secret in (container.key, WRONG, "c2VjcmV0c2lnbmF0dXJl"):
        assert secret not in shown
    await storage.close()


async def test_a_storage_that_does_not_answer_is_told_without_its_signature(
    make: Any, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    address = f"http://127.0.0.1:{unused_tcp_port}/account"
    secret = "c2VjcmV0c2lnbmF0dXJl"
    container = Container("account", "data", address, sas_token=f"sv=2020-10-02&sig={secret}")
    storage = make(container)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(SharedStorageError, match="Connection refused") as raised:
        await storage.open()
    with pytest.raises(BlobError, match=r"no answer: .*Connection refused") as by_job:
        BlobContainer(f"{container}?{container.signature}").write("x", b"")
    await storage.close()
    for error in (raised.value, by_job.value):
        assert secret not in "".join([str(error), repr(error), *tracebacks(error)])
    assert secret not in caplog.text + repr(container) + repr(BlobContainer(f"{container}?sig={secret}"))


def tracebacks(error: BaseException) -> list[str]:
    import traceback

    return traceback.format_exception(error)


def test_who_is_signed_in_is_told_to_nobody_without_tls(container: Container, make: Any) -> None:
    with pytest.raises(SharedStorageError, match="allowed is https, or storage_account_key"):
        make(Container(container.account, container.name, container.url))


def test_a_missing_library_is_named(container: Container, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.storage.blob", None)
    with pytest.raises(SharedStorageError, match=r"pip install 'nni-manager\[azure\]' brings it"):
        make(container)


def test_mounting_takes_its_secrets_from_the_environment(container: Container, tmp_path: Path) -> None:
    signed = Container("account", "data", sas_token="?sv=1&sig=secretsignature")
    for each, secret in ((container, container.key), (signed, "secretsignature")):
        for program in mount_programs(each):
            assert secret not in " ".join(program.command) + repr(program)
            assert any(secret in value for value in program.secrets.values())
    assert mount_programs(Container("account", "data")) == []
    with pytest.raises(SharedStorageError, match="nnimount needs storage_account_key or storage_sas_token"):
        azure_storage(
            Container("account", "data"),
            local_mount_point=tmp_path,
            remote_mount_point="/m",
            local_mounted="nnimount",
            experiment_id="e",
        )


# The program of a job


def transfer(
    secret: dict[str, str] | str, *arguments: str, python: str = sys.executable
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-m", "nni.blob_transfer", *arguments],
        input=secret if isinstance(secret, str) else json.dumps(secret),
        env={"PYTHONPATH": SDK, "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )


def python_38() -> str:
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    found = [str(path) for path in root.glob("versions/3.8.*/bin/python")]
    return found[0] if found else pytest.skip("there is no Python 3.8 here")


def test_a_job_moves_folders_with_python_38_and_no_library(
    container: Container, make: Any, tmp_path: Path
) -> None:
    storage = make(container)
    secret = asyncio.run(secret_of(storage))
    out = tmp_path / "out"
    (out / "deep" / "er").mkdir(parents=True)
    (out / "deep" / "er" / "weights").write_bytes(os.urandom(9_000_000))
    (out / "log").write_text("text")
    (out / "empty").touch()
    (out / "latest").symlink_to("deep/er/weights")
    (out / "away").symlink_to("/etc/passwd")
    (out / "folder").symlink_to("deep")
    os.mkfifo(out / "pipe")
    up = transfer(secret, "upload", str(out), "trials/t1", python=python_38())
    assert up.returncode == 0, up.stderr
    told = json.loads(up.stdout)
    assert told["files"] == 4 and sorted(told["left_out"]) == ["away", "folder", "pipe"]
    names = storage.files.names("trials/t1")
    assert names == [f"trials/t1/{name}" for name in ("deep/er/weights", "empty", "latest", "log")]
    down = transfer(secret, "download", "trials/t1", str(tmp_path / "back"), python=python_38())
    assert down.returncode == 0, down.stderr
    weights = (out / "deep" / "er" / "weights").read_bytes()
    assert (tmp_path / "back" / "deep" / "er" / "weights").read_bytes() == weights
    assert (tmp_path / "back" / "latest").read_bytes() == weights
    assert (tmp_path / "back" / "log").read_text() == "text"
    for name in ("log", "empty"):
        one = transfer(secret, "download", f"trials/t1/{name}", str(tmp_path / "one"))
        assert one.returncode == 0 and (tmp_path / "one").read_bytes() == (out / name).read_bytes()
    asyncio.run(storage.close())


def test_a_job_is_told_what_is_wrong_in_one_line(container: Container, make: Any, tmp_path: Path) -> None:
    storage = make(container)
    secret = asyncio.run(secret_of(storage))
    asyncio.run(storage.close())
    broken = {**secret, "url": secret["url"].replace("sig=", "sig=AAAA")}
    cases: list[tuple[Any, list[str], str]] = [
        (secret, ["download", "nothing", str(tmp_path / "x")], "nothing does not exist"),
        (secret, ["upload", str(tmp_path / "nothing"), "x"], "No such file or directory"),
        (broken, ["upload", str(tmp_path), "x"], ""),
        (broken, ["download", "x", str(tmp_path / "x")], "403"),
        ("no json", ["download", "x", "y"], "Expecting value"),
        ({}, ["download", "x", "y"], "standard input has no url of a container"),
        ({"url": "ftp://x/y"}, ["download", "x", "y"], "the url is not that of a container"),
        (secret, ["move"], "usage: python -m nni.blob_transfer"),
    ]
    (tmp_path / "file").touch()
    for given, arguments, expected in cases:
        result = transfer(given, *arguments)
        assert result.returncode == 1 and result.stdout == "", arguments
        assert result.stderr.startswith("nni.blob_transfer: ") and expected in result.stderr
        assert result.stderr.count("\n") == 1 and "AAAA" not in result.stderr


@pytest.mark.parametrize("name", ["t/../../evil", "t//evil", "t/./evil"])
def test_what_comes_from_a_container_stays_in_its_folder(
    container: Container, make: Any, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BlobContainer, "names", lambda self, folder: [name])
    with pytest.raises(BlobError, match="is no name of a file in a folder"):
        blob_transfer.download_folder(BlobContainer("http://h/c?sig=s"), "t", str(tmp_path / "in"))
    assert list(tmp_path.iterdir()) == []
