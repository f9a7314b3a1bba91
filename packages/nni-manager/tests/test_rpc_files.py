"""ListFiles and ReadFile: of trials in every state, of logs, by gRPC's servicer and by JSON."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import struct
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nni_manager.engine.effects import SaveExperiment, SaveTrial
from nni_manager.engine.records import ExperimentRecord, TrialRecord
from nni_manager.engine.statuses import ExperimentStatus, ParameterSource, TrialStatus
from nni_manager.experiments.errors import FileMissingError, InvalidArgumentError, TrialNotFoundError
from nni_manager.experiments.many_experiments import ManyExperiments
from nni_manager.rpc.file_servicer import FileServicer
from nni_manager.storage.interface import Storage
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.fake_experiments import FakeExperiments
from nni_manager.testing.running_port import running_port
from nni_proto.v1 import experiment_file_pb2 as pb

NAME = "experiments/e"
TRIAL = f"{NAME}/trials/t"
RUNNING = TrialRecord(
    trial_id="t",
    sequence_number=0,
    status=TrialStatus.RUNNING,
    attempt=0,
    parameter_id=0,
    parameter_source=ParameterSource.ALGORITHM,
    parameters={},
    created_at=1.0,
    started_at=2.0,
)
WAITING = replace(RUNNING, status=TrialStatus.WAITING, started_at=None)
SUCCEEDED = replace(RUNNING, status=TrialStatus.SUCCEEDED, ended_at=3.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "e"
    for name in ("db", "log", "trials/t/.nni/0"):
        (folder / name).mkdir(parents=True)
    (folder / "secret").write_text("the secret")
    (folder / "manager.json").write_text('{"token": "the secret"}')
    (folder / "log" / "nnimanager.log").write_text("started\n")
    (folder / "trials" / "t" / ".nni" / "0" / "run.json").write_text("{}")
    return folder


@pytest.fixture
def storage(folder: Path) -> Storage:
    storage = open_sqlite_storage(folder / "db" / "experiment.sqlite")
    record = ExperimentRecord("e", ExperimentStatus.DONE, {}, "maximize", created_at=1.0)
    storage.commit([SaveExperiment(record), SaveTrial(RUNNING)])
    return storage


@pytest.fixture
async def servicer(storage: Storage, folder: Path) -> AsyncIterator[FileServicer]:
    many = ManyExperiments(
        FakeExperiments(), "own", folder.parent, lambda path: open_sqlite_storage(path, read_only=True)
    )
    yield FileServicer(many)
    await many.close(by_user=False, message="the test has ended")
    storage.close()


async def read(servicer: FileServicer, **fields: Any) -> bytes:
    request = pb.ReadFileRequest(**{"parent": TRIAL, "path": "stdout", **fields})
    return b"".join([piece.content async for piece in servicer.read_file(request)])


async def test_the_files_of_a_trial(servicer: FileServicer, folder: Path) -> None:
    trial = folder / "trials" / "t"
    for name in ("stdout", "trial.log", "tensorboard/events.out"):
        (trial / name).parent.mkdir(exist_ok=True)
        (trial / name).write_bytes(b"0123456789")
    request = pb.ListFilesRequest(parent=TRIAL, page_size=2)
    first = await servicer.list_files(request)
    request.page_token = first.next_page_token
    second = await servicer.list_files(request)
    assert [file.path for file in (*first.files, *second.files)] == [
        "stdout",
        "tensorboard/events.out",
        "trial.log",
    ]
    assert (first.directory, first.missing_reason, second.next_page_token) == (str(trial), "", "")
    assert (first.files[0].size, first.files[0].modify_time.ToMicroseconds()) == (
        10,
        round((trial / "stdout").stat().st_mtime * 1e6),
    )
    assert await read(servicer) == b"0123456789"
    assert await read(servicer, offset=-4, limit=2) == b"67"
    assert await read(servicer, path="tensorboard/events.out", offset=8) == b"89"
    with pytest.raises(InvalidArgumentError, match="limit: -1"):
        await read(servicer, limit=-1)
    with pytest.raises(TrialNotFoundError):
        await read(servicer, parent=f"{NAME}/trials/none")


async def test_the_logs_of_an_experiment_and_nothing_else_of_it(servicer: FileServicer, folder: Path) -> None:
    response = await servicer.list_files(pb.ListFilesRequest(parent=NAME))
    assert [file.path for file in response.files] == ["log/nnimanager.log"]
    assert response.directory == str(folder / "log")
    assert await read(servicer, parent=NAME, path="log/nnimanager.log", follow=True) == b"started\n"
    (folder / "log" / "link").symlink_to("../secret")
    for path in ("secret", "manager.json", "trials/t/stdout", "log/../secret", "log/link", "log", "db/x"):
        with pytest.raises(InvalidArgumentError, match=r"^path: "):
            await read(servicer, parent=NAME, path=path)
    with pytest.raises(InvalidArgumentError, match="is the manager's own"):
        await read(servicer, path=".nni/0/run.json")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (replace(WAITING, waiting_reason="waits for a GPU"), "^trial t has not started: waits for a GPU$"),
        (WAITING, "^trial t has not started$"),
        (RUNNING, "^trial t runs and has written nothing to .*/t yet$"),
        (replace(RUNNING, host="gpu-1"), "^trial t runs on gpu-1: its output comes here every few seconds"),
        (SUCCEEDED, "^trial t has no files: .*/t was deleted, or is empty$"),
        (replace(SUCCEEDED, host="gpu-1"), "^trial t ran on gpu-1 and none of its files are here"),
        (replace(SUCCEEDED, started_at=None), "^trial t ended before it started"),
    ],
)
async def test_that_there_is_no_file_is_explained(
    servicer: FileServicer, storage: Storage, record: TrialRecord, reason: str
) -> None:
    """Row 144."""
    storage.commit([SaveTrial(record)])
    response = await servicer.list_files(pb.ListFilesRequest(parent=TRIAL))
    assert not response.files
    with pytest.raises(FileMissingError, match=reason) as error:
        await read(servicer, follow=record.status is not TrialStatus.RUNNING)
    assert response.missing_reason == str(error.value)


async def test_one_file_that_is_not_there_is_named(servicer: FileServicer, folder: Path) -> None:
    (folder / "trials" / "t" / "stdout").write_bytes(b"x")
    with pytest.raises(FileMissingError, match=r"^there is no .*/t/stderr$"):
        await read(servicer, path="stderr")


async def test_a_trial_is_followed_until_it_has_ended(
    servicer: FileServicer, storage: Storage, folder: Path
) -> None:
    path = folder / "trials" / "t" / "stdout"
    request = pb.ReadFileRequest(parent=TRIAL, path="stdout", follow=True)
    async with aclosing(servicer.read_file(request)) as pieces:
        assert await soon(pieces) == pb.ReadFileResponse()
        path.write_bytes(b"first")
        assert (await soon(pieces)).content == b"first"
        with path.open("ab") as file:
            file.write(b" last")
        storage.commit([SaveTrial(SUCCEEDED)])
        assert [piece async for piece in pieces] == [pb.ReadFileResponse(content=b" last", offset=5, size=10)]


async def test_the_next_attempt_of_a_trial_is_followed_too(
    servicer: FileServicer, storage: Storage, folder: Path
) -> None:
    path = folder / "trials" / "t" / "stdout"
    path.write_bytes(b"first attempt\n")
    storage.commit([SaveTrial(replace(WAITING, attempt=1))])
    request = pb.ReadFileRequest(parent=TRIAL, path="stdout", follow=True)
    async with aclosing(servicer.read_file(request)) as pieces:
        assert (await soon(pieces)).content == b"first attempt\n"
        with path.open("ab") as file:
            file.write(b"second attempt\n")
        assert (await soon(pieces)).content == b"second attempt\n"


async def test_bytes_are_base64_in_json(storage: Storage, folder: Path) -> None:
    data = bytes(range(256))
    (folder / "trials" / "t" / "stdout").write_bytes(data)
    async with running_port(experiments_directory=folder.parent) as port:
        request = {"parent": TRIAL, "path": "stdout"}
        response = await asyncio.to_thread(streamed, port.port, port.tokens.manager(), request)
        refused = await asyncio.to_thread(
            streamed, port.port, port.tokens.manager(), {**request, "path": "none"}
        )
    storage.close()
    assert base64.b64decode(response["content"]) == data and response["size"] == "256"
    assert refused["error"]["code"] == "not_found"
    assert refused["error"]["details"][0]["debug"]["reason"] == "FILE_NOT_FOUND"


async def soon(pieces: AsyncGenerator[pb.ReadFileResponse, None]) -> pb.ReadFileResponse:
    """Returns the next piece; a test that waits for one in vain fails."""
    return await asyncio.wait_for(anext(pieces), 30)


def streamed(port: int, token: str, request: dict[str, Any]) -> dict[str, Any]:
    """Makes a call that is answered by a stream, and returns the first message."""
    text = json.dumps(request).encode()
    headers = {"Content-Type": "application/connect+json", "Authorization": f"Bearer {token}"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        body = struct.pack(">BI", 0, len(text)) + text
        connection.request("POST", "/nni_proto.v1.ExperimentService/ReadFile", body, headers)
        answer = connection.getresponse()
        _, length = struct.unpack(">BI", answer.read(5))
        message: dict[str, Any] = json.loads(answer.read(length))
        return message
    finally:
        connection.close()
