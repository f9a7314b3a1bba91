"""Jobs that speak to the manager's port over TLS."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from nni.manager_calls import ManagerAwayError, ManagerCalls, ManagerRefusedError
from nni_config import ExperimentConfig, OpenpaiConfig
from nni_manager.engine.events import TrialEnded, TrialReported, WarningRaised
from nni_manager.server.training_services import make_training_service
from nni_manager.shared_storage.mounted_files import MountedFiles
from nni_manager.testing.fake_job_platform import FakeCluster, FakePlatform
from nni_manager.testing.job_place import QUICK, JobPlace
from nni_manager.testing.running_port import EXPERIMENT_ID, RunningPort, running_port
from nni_manager.testing.spooled_job import JOB, SpooledJob, UnseenEvents
from nni_manager.training import courier_messages as messages
from nni_manager.training.interface import TrialRun
from nni_manager.training.jobs.direct import MANAGER_VARIABLE, DirectReports, ManagerAccess
from nni_manager.training.spool import JobSpool

NAME = "manager.test"
TRIAL = """
import os, nni
assert "NNI_SPOOL_MANAGER" not in os.environ
for step in range(nni.get_next_parameter()["steps"]):
    nni.report_intermediate_result(step)
nni.report_final_result(0.5)
"""


def _certificate(folder: Path, name: str) -> Path:
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x"
    command += f" -addext subjectAltName=DNS:{NAME} -out {name}.pem -keyout {name}.key"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder / f"{name}.pem"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the manager's certificate, and somebody else's."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("own", "other"):
        _certificate(folder, name)
    return folder


@pytest.fixture
async def port(certificates: Path) -> AsyncIterator[RunningPort]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "own.pem", certificates / "own.key")
    context.set_alpn_protocols(["http/1.1", "h2"])
    async with running_port(tls=context, allowed_hosts=(NAME,), url_prefix="team/a") as port:
        yield port
        port.pushed.close()


def _access(port: RunningPort, folder: Path, /, **changes: Any) -> ManagerAccess:
    access = ManagerAccess(
        experiment_id=EXPERIMENT_ID,
        host="nowhere.invalid",
        port=port.port,
        url_prefix="team/a",
        certificates=(folder / "own.pem").read_text(),
        name=NAME,
        token=port.tokens.job,
    )
    return replace(access, **changes)


def _secrets(access: ManagerAccess, job: str = JOB) -> dict[str, str]:
    return DirectReports(access=access).secrets(job, "127.0.0.1")


def _calls(access: ManagerAccess, job: str = JOB) -> ManagerCalls:
    return ManagerCalls(_secrets(access, job)[MANAGER_VARIABLE])


class Follower:
    """Follows the job by two folders of which neither side sees the other's, or by one."""

    def __init__(self, port: RunningPort, folder: Path) -> None:
        self.seen: list[Any] = []
        self.arrived = asyncio.Event()
        self.pushed = port.pushed.open(JOB, UnseenEvents(folder))
        self.spool = JobSpool(self.pushed, JOB, self._emit, poll_seconds=60.0)
        self.pushed.on_pushed = self.spool.look

    def _emit(self, event: Any) -> None:
        self.seen.append(event)
        if isinstance(event, TrialReported):
            self.spool.acknowledge(event.trial_id, event.attempt, event.end_offset or 0)
        self.arrived.set()

    async def ended(self) -> TrialEnded:
        while not isinstance(self.seen[-1] if self.seen else None, TrialEnded):
            self.arrived.clear()
            await asyncio.wait_for(self.arrived.wait(), 60)
        return self.seen[-1]  # type: ignore[no-any-return]


@pytest.fixture
def start_job(tmp_path: Path) -> Iterator[Callable[[dict[str, str]], SpooledJob]]:
    jobs = []

    def start(secrets: dict[str, str]) -> SpooledJob:
        (tmp_path / "job").mkdir()
        (tmp_path / "job" / "train.py").write_text(TRIAL)
        job = SpooledJob(tmp_path / "shared", tmp_path / "job", EXPERIMENT_ID, secrets, _oldest_python())
        job.shared.mkdir()
        jobs.append(job)
        job.start()
        return job

    yield start
    for job in jobs:
        job.end()


def _oldest_python() -> str:
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    return next((str(path) for path in root.glob("versions/3.8.*/bin/python")), sys.executable)


def _launch(folder: Path, steps: int) -> bytes:
    run = TrialRun("t1", 0, 0, 0, {"steps": steps})
    return messages.launch(
        run, f"{_oldest_python()} train.py", str(folder / "job"), {"NNI_PLATFORM": "job"}, ()
    )


async def test_a_job_and_its_manager_that_see_nothing_of_each_others_files(
    port: RunningPort, certificates: Path, tmp_path: Path, start_job: Callable[..., SpooledJob]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    follower = Follower(port, tmp_path / "elsewhere")
    await follower.spool.open()
    job = await asyncio.to_thread(start_job, _secrets(_access(port, certificates)))
    follower.spool.launch("t1", 0, _launch(tmp_path, 30))
    ended = await follower.ended()
    assert ended.exit_code == 0, follower.seen
    told = [
        report.value
        for event in follower.seen
        if isinstance(event, TrialReported)
        for report in event.reports
    ]
    assert told == [*range(30), 0.5]
    follower.spool.shut_down()
    assert job.process is not None and await asyncio.to_thread(job.process.wait, 30) == 0
    await follower.spool.close()
    events = (tmp_path / "shared" / "spool" / JOB / "events.jsonl").read_bytes()
    assert port.pushed.append(JOB, len(events) + 9, b"x") == len(events)  # the last words were told as well
    assert b'{"problem"' not in events
    assert (job.own / "job.log").read_text() == ""


async def test_a_job_with_a_wrong_token_says_so_once_and_uses_the_storage(
    port: RunningPort, certificates: Path, tmp_path: Path, start_job: Callable[..., SpooledJob]
) -> None:
    access = _access(port, certificates, token=lambda job: port.tokens.job("other"))
    job = await asyncio.to_thread(start_job, _secrets(access))
    files = MountedFiles(job.shared)
    events = tmp_path / "shared" / "spool" / JOB / "events.jsonl"
    await asyncio.to_thread(files.append, f"spool/{JOB}/orders.jsonl", _launch(tmp_path, 3) + b"\n", 0)
    while b'"ended"' not in (events.read_bytes() if events.exists() else b""):
        await asyncio.sleep(0.02)
    problems = [line for line in events.read_text().splitlines() if "problem" in json.loads(line)]
    assert len(problems) == 1 and "this token belongs to another job" in problems[0]


async def test_a_host_hears_its_jobs_though_it_never_looks_at_the_storage(
    port: RunningPort, certificates: Path, tmp_path: Path
) -> None:
    cluster = FakeCluster(tmp_path / "cluster")
    pace = replace(QUICK, files_seconds=3600.0, logs_seconds=3600.0)
    platform = partial(FakePlatform, cluster, EXPERIMENT_ID)
    place = JobPlace(tmp_path, platform, experiment_id=EXPERIMENT_ID, pace=pace)
    direct = DirectReports(port.pushed, _access(port, certificates))
    place.options = {
        "job_secrets": partial(direct.secrets, nni_manager_ip="127.0.0.1"),
        "pushed": direct.pushed,
    }
    place.write_code("train.py", "import nni, time\nnni.get_next_parameter()\nnni.report_final_result(0.5)\n")
    place.write_code("wait.py", "while True: __import__('time').sleep(0.1)")
    arrived: asyncio.Queue[Any] = asyncio.Queue()
    host = place.host(f"{sys.executable} train.py; exec {sys.executable} wait.py", arrived.put_nowait)
    await host.start()
    try:
        host.submit(TrialRun("abcde", 0, 0, 0, {}))
        while not isinstance(event := await asyncio.wait_for(arrived.get(), 60), TrialReported):
            pass
        assert [report.value for report in event.reports] == [0.5]
        host.acknowledge("abcde", 0, event.end_offset or 0)
        host.cancel("abcde", 0)
        while not isinstance(event := await asyncio.wait_for(arrived.get(), 60), TrialEnded):
            pass
        assert event.signal == signal.SIGINT, event
    finally:
        await host.close()
        cluster.end_all()


@pytest.mark.parametrize(
    ("changes", "kind", "text"),
    [
        ({"token": lambda tokens: tokens.job("other")}, 403, "this token belongs to another job"),
        ({"token": lambda tokens: tokens.trial("t")}, 403, "not good for AppendJobEvents"),
        ({"token": lambda tokens: "job/job.0000"}, 401, "no valid token"),
        ({"experiment_id": "another"}, 403, "belongs to another job"),
        ({"certificates": "other.pem"}, 0, "certificate verify failed"),
        ({"name": "other.test"}, 0, "certificate verify failed"),
        ({"port": 1}, 0, "refused"),
    ],
)
async def test_what_the_manager_and_the_job_refuse(
    port: RunningPort, certificates: Path, tmp_path: Path, changes: dict[str, Any], kind: int, text: str
) -> None:
    pushed = port.pushed.open(JOB, MountedFiles(tmp_path))
    if make := changes.get("token"):
        changes = {"token": lambda job: make(port.tokens)}
    if name := changes.get("certificates"):
        changes = {"certificates": (certificates / name).read_text()}
    calls = _calls(_access(port, certificates, **changes))
    with pytest.raises(ManagerRefusedError if kind else ManagerAwayError, match=text) as caught:
        await asyncio.to_thread(calls.append_events, 0, b"{}\n")
    calls.close()
    assert getattr(caught.value, "status", 0) == kind
    assert pushed.take(0, b"") == 0


async def test_a_job_that_nobody_follows_and_a_gap(
    port: RunningPort, certificates: Path, tmp_path: Path
) -> None:
    calls = _calls(_access(port, certificates), "a.job")
    with pytest.raises(ManagerRefusedError, match=r"follows no job 'a\.job'") as caught:
        await asyncio.to_thread(calls.append_events, 0, b"{}\n")
    assert caught.value.status == 404
    port.pushed.open("a.job", MountedFiles(tmp_path))
    for position, data, known in ((5, b"x\n", 0), (0, b"{}\n", 3), (0, b"{}\n", 3), (2, b"\n{}\n", 6)):
        assert await asyncio.to_thread(calls.append_events, position, data) == known
    assert await asyncio.to_thread(calls.read_orders, 0, 0.0) == b""
    for wait in (-1.0, 61.0):
        with pytest.raises(ManagerRefusedError, match="wait_seconds"):
            await asyncio.to_thread(calls.read_orders, 0, wait)
    calls.close()


async def test_a_connection_that_the_manager_has_closed_is_made_again(
    port: RunningPort, certificates: Path, tmp_path: Path
) -> None:
    port.pushed.open(JOB, MountedFiles(tmp_path))
    calls = _calls(_access(port, certificates))
    assert await asyncio.to_thread(calls.append_events, 0, b"1\n") == 2
    assert calls._connection is not None and calls._connection.sock is not None
    calls._connection.sock.shutdown(2)
    assert await asyncio.to_thread(calls.append_events, 2, b"2\n") == 4
    calls.close()


async def test_nothing_is_sent_and_nothing_answered_unencrypted(
    port: RunningPort, certificates: Path
) -> None:
    assert DirectReports().secrets(JOB, "127.0.0.1") == {}
    assert DirectReports(access=_access(port, certificates, host="")).secrets(JOB, None) == {}
    with pytest.raises(ValueError, match="without TLS nothing is sent"):
        _calls(_access(port, certificates, certificates=""))
    with pytest.raises(ValueError, match="certificate cannot be used"):
        _calls(_access(port, certificates, certificates="nonsense"))

    def plain() -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", port.port, timeout=30)
        headers = {"Authorization": f"Bearer {port.tokens.job(JOB)}", "Content-Type": "application/json"}
        try:
            connection.request("POST", "/nni_proto.v1.TrialRuntimeService/ReadJobOrders", b"{}", headers)
            return connection.getresponse().read()
        finally:
            connection.close()

    with pytest.raises((OSError, http.client.HTTPException)):
        await asyncio.to_thread(plain)


async def test_what_a_job_is_told_is_secret_and_of_plain_signs(port: RunningPort, certificates: Path) -> None:
    access = _access(port, certificates)
    (text,) = DirectReports(access=access).secrets("nni_e_t_0", None).values()
    told = json.loads(base64.b64decode(text))
    assert (told["host"], told["job"]) == ("nowhere.invalid", f"experiments/{EXPERIMENT_ID}/jobs/nni_e_t_0")
    assert told["token"] == port.tokens.job("nni_e_t_0")
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
    assert "token" not in repr(access) and told["token"] not in repr(_calls(access))


async def told_at_the_start(tmp_path: Path, direct: DirectReports, **fields: Any) -> list[str]:
    """Returns the warnings of an experiment on OpenPAI."""
    service = OpenpaiConfig(
        host="http://127.0.0.1:1",
        username="ada",
        token="sesame",
        trial_cpu_number=1,
        trial_memory_size="1gb",
        storage_config_name="data",
        local_storage_mount_point=str(tmp_path),
        container_storage_mount_point="/mnt",
        trial_gpu_number=0,
        **fields,
    )
    config = ExperimentConfig(
        search_space={"x": {"_type": "uniform", "_value": [0, 1]}},
        trial_command="true",
        trial_code_directory=tmp_path,
        trial_concurrency=1,
        tuner={"name": "Random"},
        training_service=service,
    ).canonical_copy()
    seen: list[Any] = []
    place = make_training_service(config, EXPERIMENT_ID, tmp_path, seen.append, direct)
    await place.close()
    return [event.message for event in seen if isinstance(event, WarningRaised)]


async def test_a_manager_that_jobs_do_not_hear_of_says_so(
    tmp_path: Path, port: RunningPort, certificates: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A line of the log where nobody asked for more, else a warning."""
    caplog.set_level("INFO", "nni_manager.server.job_places")
    assert await told_at_the_start(tmp_path, DirectReports()) == []
    assert caplog.messages == [
        "jobs of openpai report through the storage, since the manager listens without TLS"
    ]
    caplog.clear()
    assert await told_at_the_start(tmp_path, DirectReports(), nni_manager_ip="10.0.0.1") == [
        "nni_manager_ip: 10.0.0.1 is not used, since the manager listens without TLS; jobs of openpai report "
        "through the storage (bind and tls_certificate change that)"
    ]
    alone = DirectReports(access=_access(port, certificates, host=""))
    assert await told_at_the_start(tmp_path, alone) == []
    assert caplog.messages == [
        "jobs of openpai report through the storage, since the manager listens for this machine alone, and "
        "nni_manager_ip is not set"
    ]
    caplog.clear()
    assert await told_at_the_start(tmp_path, alone, nni_manager_ip="10.0.0.1") == []
    reachable = DirectReports(access=_access(port, certificates))
    assert await told_at_the_start(tmp_path, reachable) == []
    assert caplog.messages == []
