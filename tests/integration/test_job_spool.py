"""A job that nobody can reach: the SDK on Python 3.8, over a folder and over Azure Blob."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nni import spool as job_spool
from nni_manager.engine.events import TrialEnded, TrialReported, TrialStarted
from nni_manager.shared_storage.azure_blob import Container, azure_storage
from nni_manager.shared_storage.mounted_files import MountedFiles
from nni_manager.training import courier_messages as messages
from nni_manager.training.interface import TrialRun
from nni_manager.training.spool import JobSpool

SDK = str(Path(job_spool.__file__).parents[1])
SCRIPT = """
import os, time, nni
assert "NNI_SPOOL_ACCESS" not in os.environ
parameters = nni.get_next_parameter()
for step in range(parameters["steps"]):
    nni.report_intermediate_result(step)
    time.sleep(0.02)
    while step == 40 and not os.path.exists(parameters["go"]):
        time.sleep(0.05)
nni.report_final_result({"default": float("nan"), "text": "\\u00fc"})
"""


class Job:
    """The processes of a job; the folder of its experiment is its own."""

    def __init__(self, folder: Path, variables: dict[str, str], options: list[str]) -> None:
        self.folder = folder
        self.variables = {"PATH": os.environ["PATH"], "PYTHONPATH": SDK, **variables}
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "code").mkdir(parents=True)
        (folder / "code" / "train.py").write_text(SCRIPT)

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        command = [python_38(), "-m", "nni.spool", "--experiment-id", "exp00001", "--job", "job-1"]
        command += ["--experiment-directory", str(self.folder / "experiment"), "--poll-seconds", "0.1"]
        self.process = subprocess.Popen(
            [*command, "--grace-seconds", "1", *self.options, *more],
            env={**self.variables, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
        )
        return self.process

    def launch(self, trial_id: str, steps: int) -> bytes:
        run = TrialRun(trial_id, 0, 0, 0, {"steps": steps, "go": str(self.folder / "go")})
        command = f"{python_38()} train.py"
        environment = {"NNI_PLATFORM": "job"}
        return messages.launch(run, command, str(self.folder / "code"), environment, ())


def python_38() -> str:
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    found = [str(path) for path in root.glob("versions/3.8.*/bin/python")]
    return found[0] if found else pytest.skip("there is no Python 3.8 here")


@pytest.fixture(params=["folder", "azure"])
def place(request: pytest.FixtureRequest, azurite: str, tmp_path: Path) -> Iterator[tuple[Any, Job]]:
    """What the manager sees of the storage, and the job."""
    if request.param == "folder":
        shared = tmp_path / "shared"
        shared.mkdir()
        files, job = MountedFiles(shared), Job(tmp_path / "job", {}, ["--folder", str(shared)])
    else:
        account = request.getfixturevalue("blob_account")
        container = Container(account.name, account.container, account.url, account.key)
        storage = azure_storage(
            container,
            local_mount_point=tmp_path,
            remote_mount_point="/nothing",
            local_mounted="nomount",
            experiment_id="exp00001",
        )
        files = storage.files
        request.addfinalizer(lambda: asyncio.run(storage.close()))
        access = asyncio.run(storage.transfer_input()).decode()
        job = Job(tmp_path / "job", {"NNI_SPOOL_ACCESS": access}, [])
    yield files, job
    if job.process is not None and job.process.poll() is None:
        job.process.terminate()
        job.process.wait(30)


class Listener:
    """Takes what the manager is told, and acknowledges it."""

    def __init__(self, files: Any) -> None:
        self.seen: list[Any] = []
        self.stored: dict[str, int] = {}
        self.arrived = asyncio.Event()
        self.spool = JobSpool(files, "job-1", self.emit, poll_seconds=0.05)

    def emit(self, event: Any) -> None:
        self.seen.append(event)
        if isinstance(event, TrialReported):
            self.stored[event.trial_id] = event.end_offset or 0
            self.spool.acknowledge(event.trial_id, event.attempt, event.end_offset or 0)
        self.arrived.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.arrived.clear()
            await asyncio.wait_for(self.arrived.wait(), 60)

    def of(self, kind: type, trial_id: str = "t1") -> list[Any]:
        return [event for event in self.seen if isinstance(event, kind) and event.trial_id == trial_id]

    def values(self, trial_id: str = "t1") -> list[Any]:
        return [report.value for event in self.of(TrialReported, trial_id) for report in event.reports]


async def test_a_job_and_its_manager_die_in_turn_and_no_result_is_lost_or_doubled(
    place: tuple[Any, Job],
) -> None:
    files, job = place
    process = job.start()
    first = Listener(files)
    await first.spool.open()
    first.spool.launch("t1", 0, job.launch("t1", 80))
    await first.until(lambda: len(first.values()) >= 10)
    process.send_signal(signal.SIGKILL)
    process.wait()
    await first.spool.close()  # the trial goes on meanwhile, up to where it waits
    second = Listener(files)
    await second.spool.open()
    second.spool.adopt("t1", 0, first.stored["t1"])
    job.start("--until-idle")
    # Over a slow storage the first manager may have heard all of it at once.
    await second.until(lambda: 40 in first.values() + second.values())
    (job.folder / "go").touch()
    await second.until(lambda: bool(second.of(TrialEnded)))
    await second.spool.close()
    assert job.process is not None and job.process.wait(30) == 0
    *values, final = first.values() + second.values()
    assert values == list(range(80))
    assert str(final) == str({"default": float("nan"), "text": "ü"})
    assert len(first.of(TrialStarted)) == 1
    assert second.of(TrialEnded)[0].exit_code == 0 and second.of(TrialEnded)[0].problem == ""


async def test_a_trial_of_a_job_is_stopped_from_afar(place: tuple[Any, Job]) -> None:
    files, job = place
    listener = Listener(files)
    await listener.spool.open()
    listener.spool.launch("t1", 0, job.launch("t1", 80))
    job.start()
    await listener.until(lambda: 40 in listener.values())  # where it waits
    listener.spool.cancel("t1", 0, signal.SIGINT, 1.0)
    await listener.until(lambda: bool(listener.of(TrialEnded)))
    assert "KeyboardInterrupt" in listener.of(TrialEnded)[0].stderr_tail
    listener.spool.shut_down()
    assert job.process is not None
    assert await asyncio.to_thread(job.process.wait, 30) == 0
    await listener.spool.close()


async def test_a_courier_that_dies_is_replaced_and_no_trial_is_lost(place: tuple[Any, Job]) -> None:
    files, job = place
    listener = Listener(files)
    await listener.spool.open()
    listener.spool.launch("t1", 0, job.launch("t1", 80))
    process = job.start("--until-idle")
    await listener.until(lambda: len(listener.values()) >= 5)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    (job.folder / "go").touch()
    await listener.until(lambda: bool(listener.of(TrialEnded)))
    await listener.spool.close()
    assert listener.values()[:-1] == list(range(80)) and listener.of(TrialEnded)[0].exit_code == 0
    assert await asyncio.to_thread(process.wait, 30) == 0


def test_a_job_says_what_is_wrong_with_its_command_line(tmp_path: Path) -> None:
    job = Job(tmp_path, {}, [])
    assert job.start().wait(30) == 2
    job.variables["NNI_SPOOL_ACCESS"] = json.dumps({"url": "no url"})
    assert job.start().wait(30) == 2


def test_two_jobs_of_one_name_do_not_mix_what_they_say(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    job = Job(tmp_path / "job", {}, ["--folder", str(shared)])
    process = job.start()
    events = shared / "spool" / "job-1" / "events.jsonl"
    while not (events.exists() and events.stat().st_size):
        assert process.poll() is None
    with events.open("ab") as file:
        file.write(b'{"problem": {"message": "of another job"}}\n')
    (shared / "spool" / "job-1" / "orders.jsonl").write_bytes(job.launch("t1", 1))
    assert process.wait(30) == 1
