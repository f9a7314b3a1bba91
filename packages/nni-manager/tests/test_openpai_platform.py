"""OpenPAI as a platform of jobs, asked through a stand-in that checks each request."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aml_stand_in.certificate import write_certificate
from nni_config import ExperimentConfig, OpenpaiConfig
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.names import JobNames
from nni_manager.training.jobs.platform import (
    JobOrder,
    JobRefusedError,
    JobReport,
    JobState,
    PlatformAwayError,
)
from nni_manager.training.openpai import platform as platform_module
from nni_manager.training.openpai.making import make_openpai_platform
from nni_manager.training.openpai.platform import OpenPai
from openpai_stand_in import Account, OpenPaiStandIn

EXPERIMENT = "exp00001"
NAMES = JobNames(EXPERIMENT)
NAME = NAMES.of_attempt("aaaaa", 0)
PATIENCE = 20.0


class Place:
    """A stand-in, and platforms that speak to it."""

    def __init__(self, folder: Path, stand_in: OpenPaiStandIn) -> None:
        self.folder = folder
        self.mount = folder / "mount"
        self.stand_in = stand_in
        self.open_ones: list[OpenPai] = []

    def config(self, **fields: Any) -> OpenpaiConfig:
        values = {
            **{"host": self.stand_in.address, "username": "ada", "token": "sesame", "trial_cpu_number": 1},
            **{"trial_gpu_number": 0, "trial_memory_size": "1gb", "storage_config_name": "data"},
            **{"local_storage_mount_point": self.mount, "container_storage_mount_point": str(self.mount)},
            **{"trial_command": "true", "trial_code_directory": self.folder},
        } | fields
        return OpenpaiConfig(
            **{key: value for key, value in values.items() if value is not None}
        ).canonical_copy()

    def platform(self, **fields: Any) -> OpenPai:
        made = make_openpai_platform(
            ExperimentConfig("openpai"), self.config(**fields), EXPERIMENT, self.folder
        )
        assert isinstance(made, OpenPai)
        self.open_ones.append(made)
        return made

    async def opened(self, **fields: Any) -> OpenPai:
        platform = self.platform(**fields)
        await platform.open()
        return platform


def make_place(folder: Path, **settings: Any) -> OpenPaiStandIn:
    mount = folder / "mount"
    mount.mkdir()
    return OpenPaiStandIn(folder / "pai", {"data": mount}, **settings)


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[OpenPaiStandIn]:
    with make_place(tmp_path) as stand_in:
        yield stand_in


@pytest.fixture
async def place(tmp_path: Path, stand_in: OpenPaiStandIn) -> Any:
    place = Place(tmp_path, stand_in)
    yield place
    for platform in place.open_ones:
        await platform.close()


async def until(platform: OpenPai, name: str, *states: JobState) -> JobReport:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        report = (await platform.list()).get(name)
        if report is not None and report.state in states:
            return report
        await asyncio.sleep(0.05)
    raise AssertionError(f"{name} is {report}")


async def test_a_job_runs_as_ordered(place: Place) -> None:
    platform = await place.opened()
    order = JobOrder(
        NAME,
        'echo "$A|$NNI_KEY|$PAI_JOB_NAME"; exit 3',
        {"A": 'it\'s <% $x %> "1" $HOME'},
        {"NNI_KEY": "a 'b' $c <% d %>"},
    )
    await platform.submit(order)
    report = await until(platform, NAME, JobState.FAILED)
    assert (report.exit_code, report.reason[:10]) == (3, "ContainerE")
    assert report.web_address.endswith(f"/job-detail.html?username=ada&jobName={NAME}")
    assert "exit code 3" in report.reason
    expected = f"it's <% $x %> \"1\" $HOME|a 'b' $c <% d %>|ada~{NAME}\n"
    assert await platform.log(NAME, 1000) == expected.encode()
    assert await platform.log(NAME, 4) == expected.encode()[-4:]
    # What has ended is asked of once, and is told again and again.
    before = len(place.stand_in.requests())
    assert (await platform.list())[NAME] == report
    assert len(place.stand_in.requests()) == before + 1


async def test_a_job_is_made_once(place: Place) -> None:
    platform = await place.opened()
    marks = place.folder / "marks"
    order = JobOrder(NAME, f"echo x >> {marks}; sleep 30")
    place.stand_in.fail("POST", "/jobs$", 0, then_works=True)
    with pytest.raises(PlatformAwayError, match="does not answer"):
        await platform.submit(order)
    await platform.submit(order)
    # Seen in the real one: the job is there, and the answer says that it is not.
    place.stand_in.fail("POST", "/jobs$", 404, body=b'{"code": "NoJobError", "message": "Job is not found."}')
    with pytest.raises(PlatformAwayError, match="does not say whether"):
        await platform.submit(order)
    await platform.submit(order)
    await until(platform, NAME, JobState.RUNNING)
    await platform.stop(NAME)
    report = await until(platform, NAME, JobState.STOPPED)
    assert report.exit_code is None or report.exit_code > 128
    assert marks.read_text() == "x\n"
    await platform.stop(NAME)
    await platform.stop(NAMES.of_attempt("never", 0))


async def test_stopping_ends_all_that_runs_in_a_job(place: Place) -> None:
    platform = await place.opened()
    await platform.submit(JobOrder(NAME, f"setsid sleep 60 & echo $! > {place.folder}/pid; wait"))
    await until(platform, NAME, JobState.RUNNING)
    while not (place.folder / "pid").exists() or not (place.folder / "pid").read_text():
        await asyncio.sleep(0.02)
    await platform.stop(NAME)
    await until(platform, NAME, JobState.STOPPED)
    pid = (place.folder / "pid").read_text().strip()
    status = Path(f"/proc/{pid}/status")
    assert not status.exists() or "zombie" in status.read_text()


async def test_all_jobs_by_one_request_or_one_for_each_page(place: Place) -> None:
    platform = await place.opened()
    place.stand_in.accounts["ada"].clusters.append(f"nni_{EXPERIMENT}_")
    names = [NAMES.of_attempt(f"{number:05}", 0) for number in range(5)]
    place.stand_in.has_room = False
    for name in names:
        await platform.submit(JobOrder(name, "true"))
    for other in ("other", f"x_nni_{EXPERIMENT}_00000_0", "nni_exp00002_00000_0"):
        await platform.submit(JobOrder(other, "true"))
    place.stand_in.exchanges.clear()
    assert list(await platform.list()) == names
    assert len(place.stand_in.requests("GET", "/jobs")) == 2  # and one that asks why they wait
    await platform.list()
    assert len(place.stand_in.requests("GET", "/jobs")) == 3
    platform._page_size = 2
    place.stand_in.exchanges.clear()
    assert list(await platform.list()) == names
    assert [it.query["offset"] for it in place.stand_in.requests("GET", "/jobs")] == ["0", "2", "4", "6"]


async def test_what_waits_says_why(place: Place) -> None:
    platform = await place.opened()
    place.stand_in.has_room = False
    await platform.submit(JobOrder(NAME, "true"))
    report = (await platform.list())[NAME]
    assert report.state is JobState.WAITING
    assert report.reason.startswith("it waits in virtual cluster default: 0/17 nodes are available")
    place.stand_in.place()
    await until(platform, NAME, JobState.SUCCEEDED)


async def test_lost_and_preempted_and_failed_by_the_platform(place: Place) -> None:
    platform = await place.opened()
    names = [NAMES.of_attempt(f"{number:05}", 0) for number in range(3)]
    for name in names:
        await platform.submit(JobOrder(name, f"echo {name} >> {place.folder}/starts; sleep 60"))
    for name in names:
        await until(platform, name, JobState.RUNNING)
    place.stand_in.lose(names[0])
    place.stand_in.jobs[names[1]].preempt()
    place.stand_in.jobs[names[2]].fail_with(-200, "node n7 is not ready")
    report = await until(platform, names[2], JobState.FAILED)
    assert (report.exit_code, "node n7 is not ready" in report.reason) == (None, True)
    found = await platform.list()
    assert names[0] not in found
    assert found[names[1]].state is JobState.RUNNING
    await platform.stop(names[1])
    await until(platform, names[1], JobState.STOPPED)


async def test_a_token_that_expires_is_renewed_without_a_restart(place: Place, caplog: Any) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 1}).encode()).decode().rstrip("=")
    old, new, file = f"h.{claims}.s", "sesame-2", place.folder / "token"
    file.write_text(f"{old}\n")
    account = place.stand_in.accounts["ada"]
    account.tokens = {old}
    platform = await place.opened(token=None, token_file=file)
    assert "does not end" in caplog.text
    await platform.submit(JobOrder(NAME, "sleep 60"))
    account.tokens = {new}
    for asked in (
        platform.list(),
        platform.submit(JobOrder("x", "true")),
        platform.stop(NAME),
        platform.log(NAME, 9),
    ):
        with pytest.raises(PlatformAwayError, match="the token expired on 1970-01-01") as raised:
            await asked
        assert str(file) in raised.value.can_be_repaired
        assert '"Your token is invalid."' in str(raised.value)
    file.write_text(new)
    assert (await platform.list())[NAME].state is JobState.RUNNING
    await platform.submit(JobOrder("x", "true"))
    assert len(place.stand_in.jobs) == 2


async def test_401_after_ten_calls(place: Place) -> None:
    platform = await place.opened()
    place.stand_in.unauthorized_after = 10
    with pytest.raises(PlatformAwayError, match="the token is not taken") as raised:
        for _ in range(11):
            await platform.list()
    assert "resume the experiment with it" in raised.value.can_be_repaired
    place.stand_in.unauthorized_after = None
    await platform.list()


PASSING: list[tuple[int, dict[str, str], float | None]] = [
    (500, {}, None),
    (502, {"Content-Type": "text/html"}, None),
    (503, {"Retry-After": "7"}, 7.0),
    (429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    (429, {"Retry-After": "soon"}, None),
]


@pytest.mark.parametrize(("status", "headers", "after"), PASSING)
async def test_what_passes(place: Place, status: int, headers: dict[str, str], after: float | None) -> None:
    platform = await place.opened()
    place.stand_in.fail("GET", "/jobs$", status, headers=headers)
    place.stand_in.fail("POST", "/jobs$", status, headers=headers)
    place.stand_in.fail("PUT", "/executionType$", status, headers=headers)
    place.stand_in.fail("GET", f"~{NAME}$", status, headers=headers)
    for asked in (
        platform.list(),
        platform.submit(JobOrder(NAME, "true")),
        platform.stop(NAME),
        platform.log(NAME, 10),
    ):
        with pytest.raises(PlatformAwayError, match=f'answers {status} "Internal error') as raised:
            await asked
        assert raised.value.retry_after == after


async def test_bodies_that_are_not_openpais(place: Place) -> None:
    platform = await place.opened()
    place.stand_in.fail("GET", "/jobs$", 429, body=b"Too many requests, please try again later.")
    with pytest.raises(PlatformAwayError, match="asked too often"):
        await platform.list()
    for body in (b"<html>", b'{"a": 1}', b"[1, null, {}]"):
        place.stand_in.fail("GET", "/jobs$", 200, body=body)
        if body.startswith(b"["):
            assert await platform.list() == {}
        else:
            with pytest.raises(PlatformAwayError, match=r"no JSON|does not list jobs"):
                await platform.list()


async def test_slow_answers(place: Place) -> None:
    platform = await place.opened()
    platform._api._client.timeout = 0.1
    place.stand_in.fail("GET", "/jobs$", 200, delay=0.5, body=b"[]")
    with pytest.raises(PlatformAwayError, match="does not answer in time"):
        await platform.list()
    assert await platform.list() == {}


async def test_nobody_answers(place: Place) -> None:
    platform = place.platform(host="http://127.0.0.1:1")
    with pytest.raises(PlatformAwayError, match=r"OpenPAI at http://127.0.0.1:1 does not answer"):
        await platform.open()


async def test_jobs_that_are_refused_in_the_servers_words(place: Place) -> None:
    platform = await place.opened(openpai_config={"colour": "red"})
    with pytest.raises(JobRefusedError, match="additional properties: colour"):
        await platform.submit(JobOrder(NAME, "true"))
    place.stand_in.accounts["ada"].clusters = []
    platform = await place.opened()
    with pytest.raises(JobRefusedError, match=r"User ada is not allowed to do operation in default \(403\)"):
        await platform.submit(JobOrder(NAME, "true"))
    place.stand_in.fail("POST", "/jobs$", 409, body=b'{"code": "Other", "message": "No."}')
    with pytest.raises(JobRefusedError, match=r"No. \(409\)"):
        await platform.submit(JobOrder(NAME, "true"))


def spoil_prefix(place: Place) -> None:
    place.stand_in.prefix = "/elsewhere"


def spoil_launcher(place: Place) -> None:
    place.stand_in.launcher = "yarn"


def spoil_permission(place: Place) -> None:
    place.stand_in.clusters["vc1"] = {"cpu": 4, "memory": 4096, "gpu": 1}


def spoil_nothing(place: Place) -> None:
    return


def spoil_storage(place: Place) -> None:
    place.stand_in.storage_details["data"] = {"readOnly": True}


def spoil_sending_on(place: Place) -> None:
    place.stand_in.fail("GET", "/info$", 301, headers={"Location": "https://pai.example/"})


REFUSALS: list[tuple[Any, dict[str, Any], str]] = [
    (spoil_nothing, {"token": "wrong"}, "the token is not taken .*; make a new token"),
    (spoil_prefix, {}, "answers 404 with no JSON; check host"),
    (spoil_sending_on, {}, "sends on to https://pai.example/; write that as host"),
    (spoil_launcher, {}, "runs on YARN"),
    (spoil_nothing, {"username": "bob"}, "username: OpenPAI at .* does not know 'bob'"),
    (spoil_nothing, {"virtual_cluster": "vc9"}, "OpenPAI has no 'vc9'; ada may use: default"),
    (spoil_permission, {"virtual_cluster": "vc1"}, "ada may not use 'vc1'; ada may use: default"),
    (spoil_nothing, {"storage_config_name": "no"}, "no storage 'no' for ada; there are: data"),
    (spoil_storage, {}, "for reading only"),
    (spoil_nothing, {"trial_gpu_number": 9}, "trial_gpu_number: a trial wants 9 GPUs, .* has 8 in all"),
    (spoil_nothing, {"trial_cpu_number": 65}, "wants 65 CPUs"),
    (spoil_nothing, {"trial_memory_size": "1tb"}, "wants 1048576 MiB of memory"),
]


@pytest.mark.parametrize(("spoil", "fields", "message"), REFUSALS)
async def test_what_is_not_there(place: Place, spoil: Any, fields: dict[str, Any], message: str) -> None:
    spoil(place)
    platform = place.platform(**fields)
    with pytest.raises(TrainingServiceError, match=message):
        await platform.open()


async def test_a_storage_that_cannot_be_written(place: Place) -> None:
    platform = place.platform()
    place.mount.rmdir()
    place.mount.write_text("")
    with pytest.raises(TrainingServiceError, match=r'"data" \(NFS nfs.example:/data\) must be mounted there'):
        await platform.open()


async def test_what_is_made_of_no_use(place: Place) -> None:
    empty = place.folder / "empty"
    empty.write_text("\n")
    for fields, message in (
        ({"token": None, "token_file": empty}, "is empty"),
        ({"ca_file": empty}, "holds no certificates"),
        ({"container_storage_mount_point": "data"}, "whole path"),
        ({"container_storage_mount_point": "/mnt/$(x)"}, "whole path"),
        ({"openpai_config": {"extras": {"x": float("nan")}}}, "JSON"),
    ):
        with pytest.raises(TrainingServiceError, match=message):
            place.platform(**fields)
    file = place.folder / "pai.yml"
    file.write_text("{}")
    config = place.config(openpai_config_file=file)
    file.write_text("jobRetryCount: 3")
    with pytest.raises(TrainingServiceError, match="jobRetryCount: "):
        make_openpai_platform(ExperimentConfig("openpai"), config, EXPERIMENT, place.folder)


async def test_self_signed_certificates(tmp_path: Path, caplog: Any) -> None:
    certificate, other = tmp_path / "server.pem", tmp_path / "other.pem"
    write_certificate(certificate)
    write_certificate(other)
    with make_place(tmp_path, certificate=certificate, prefix="/pai") as stand_in:
        place = Place(tmp_path, stand_in)
        for fields in ({}, {"ca_file": other}):
            with pytest.raises(TrainingServiceError, match=r"cannot be trusted: .*ca_file, or set insecure"):
                await place.opened(**fields)
        platform = await place.opened(ca_file=certificate)
        assert await platform.list() == {}
        assert "insecure" not in caplog.text
        platform = await place.opened(insecure=True)
        assert await platform.list() == {}
        assert "anybody between here and there can read the token" in caplog.text
        await platform.submit(JobOrder(NAME, "echo hello"))
        await until(platform, NAME, JobState.SUCCEEDED)
        assert await platform.log(NAME, 100) == b"hello\n"
        for each in place.open_ones:
            await each.close()


async def test_logs_that_are_not_there_yet_or_are_cut(place: Place) -> None:
    platform = await place.opened()
    assert await platform.log(NAME, 100) == b""
    place.stand_in.has_room = False
    await platform.submit(JobOrder(NAME, "echo hello"))
    assert await platform.log(NAME, 100) == b""
    place.stand_in.place()
    await until(platform, NAME, JobState.SUCCEEDED)
    place.stand_in.cut_logs = True
    with pytest.raises(PlatformAwayError, match="does not answer"):
        await platform.log(NAME, 100)
    place.stand_in.cut_logs = False
    assert await platform.log(NAME, 3) == b"lo\n"


async def test_a_task_role_whose_name_is_told_in_another_way(place: Place) -> None:
    platform = await place.opened(openpai_config={"taskRoles": {"My_Role": {}}})
    await platform.submit(JobOrder(NAME, "echo hello; kill -9 $BASHPID"))
    report = await until(platform, NAME, JobState.FAILED)
    assert report.exit_code == 137
    assert (await platform.log(NAME, 1000)).startswith(b"hello\n")


async def test_archives_are_brought_once(place: Place) -> None:
    platform = await place.opened()
    archive = place.folder / "code.tar"
    archive.write_bytes(b"1")
    folder = await platform.prepare({"code.tar": archive})
    brought = place.mount / "nni" / EXPERIMENT / "archives" / "code.tar"
    assert (folder, brought.read_bytes()) == (str(brought.parent), b"1")
    before = brought.stat().st_ino
    await platform.prepare({"code.tar": archive})
    assert brought.stat().st_ino == before
    archive.write_bytes(b"2")
    await platform.prepare({"code.tar": archive})
    assert brought.read_bytes() == b"2"
    with pytest.raises(TrainingServiceError, match="cannot be put into the storage"):
        await platform.prepare({"code.tar": place.folder / "none"})
    assert platform.storage.spool_arguments == ("--folder", str(brought.parents[1]))
    assert platform.storage.local_trials_directory == brought.parents[1] / "trials"
    assert platform.files.read("archives/code.tar") == b"2"


async def test_tokens_are_in_no_log(place: Place, caplog: Any) -> None:
    with caplog.at_level(logging.DEBUG):
        platform = await place.opened()
        await platform.submit(JobOrder(NAME, "echo hello", secrets={"NNI_KEY": "open"}))
        await until(platform, NAME, JobState.SUCCEEDED)
        assert await platform.log(NAME, 100) == b"hello\n"
        place.stand_in.accounts["ada"].tokens = set()
        with pytest.raises(PlatformAwayError) as raised:
            await platform.list()
    for secret in ("sesame", "log-token"):
        assert secret not in caplog.text + repr(raised.value) + raised.value.can_be_repaired
        assert secret not in repr(vars(platform))


async def test_many_that_ended_before_are_not_all_asked_of(place: Place, monkeypatch: Any) -> None:
    monkeypatch.setattr(platform_module, "MOST_DETAILS", 2)
    first = await place.opened()
    names = [NAMES.of_attempt(f"{number:05}", 0) for number in range(4)]
    place.stand_in.has_room = False
    for name in names:
        await first.submit(JobOrder(name, "true"))
        place.stand_in.jobs[name].fail_with(-200, "node is gone")
    later = await place.opened()
    place.stand_in.exchanges.clear()
    found = await later.list()
    assert len(place.stand_in.requests("GET", "~")) == 2
    assert found[names[0]].reason == "OpenPAI's exit code -200"
    assert "node is gone" in found[names[-1]].reason


async def test_states_that_nobody_has_heard_of(place: Place) -> None:
    platform = await place.opened()
    place.stand_in.has_room = False
    await platform.submit(JobOrder(NAME, "true"))
    for said, state in (
        ("UNKNOWN", JobState.WAITING),
        ("ASLEEP", JobState.WAITING),
        ("RUNNING", JobState.RUNNING),
    ):
        place.stand_in.jobs[NAME].state = said
        assert (await platform.list())[NAME].state is state
    place.stand_in.jobs[NAME].state = "UNKNOWN"
    assert (await platform.list())[NAME].state is JobState.RUNNING


async def test_another_user_is_told_apart(place: Place) -> None:
    place.stand_in.accounts["adam"] = Account("adam", {"adams"})
    other = await place.opened(username="adam", token="adams")
    await other.submit(JobOrder(NAME, "sleep 30"))
    platform = await place.opened()
    assert await platform.list() == {}
