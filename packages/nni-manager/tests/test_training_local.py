"""Trials on this machine beyond the contract: what happens when a part of ours is killed."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest
from nni_manager.engine.events import TrainingServiceFailed, TrialEnded, TrialReported, TrialStarted
from nni_manager.testing.training_service import HOLDER, PYTHON, REPORTER, Listener, started, trial
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.local import LocalTrainingService
from nni_manager.training.trial_environment import path_with_own_interpreter, python_path, trial_environment

MakeService = Callable[..., LocalTrainingService]


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    return folder


@pytest.fixture
def make(tmp_path: Path, code: Path, listener: Listener) -> MakeService:
    experiment = tmp_path / "experiment"
    experiment.mkdir()

    def service(command: str, **options: object) -> LocalTrainingService:
        settings = {
            "experiment_directory": experiment,
            "grace_seconds": 1.0,
            "emit": listener.emit,
            **options,
        }
        return LocalTrainingService(
            experiment_id="exp00001",
            code_directory=code,
            command=command,
            **settings,
        )

    return service


def output(tmp_path: Path, name: str, trial_id: str = "abcde") -> Path:
    return tmp_path / "experiment" / "trials" / trial_id / name


def courier() -> psutil.Process:
    # A child that an earlier test did not wait for has no command line any more.
    children = [child for child in psutil.Process().children() if runs(child.pid)]
    (found,) = [child for child in children if "nni.courier" in child.cmdline()]
    return found


def runner(tmp_path: Path) -> psutil.Process:
    record = json.loads(output(tmp_path, ".nni/0/run.json").read_text())
    return psutil.Process(record["runner"]["pid"])


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def gone(pid: int) -> None:
    """Waits until a process has ended, whoever its parent is."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            ended = asyncio.Event()
            asyncio.get_running_loop().add_reader(descriptor, ended.set)
            await asyncio.wait_for(ended.wait(), 30)
            asyncio.get_running_loop().remove_reader(descriptor)
        finally:
            os.close(descriptor)


@contextlib.asynccontextmanager
async def acknowledging(service: LocalTrainingService, listener: Listener) -> AsyncIterator[None]:
    """Acknowledges every result soon after it was emitted."""

    async def run() -> None:
        told = 0
        while True:
            reported = [event for event in listener.seen if isinstance(event, TrialReported)]
            for event in reported[told:]:
                service.acknowledge(event.trial_id, event.attempt, event.end_offset or 0)
            told = len(reported)
            await asyncio.sleep(0.001)

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()


async def test_killed_couriers_lose_and_double_nothing(
    make: MakeService, code: Path, listener: Listener
) -> None:
    (code / "report.py").write_text(
        REPORTER
        + """
number_to_report = 0
while not os.path.exists("go"):
    for number_to_report in range(number_to_report, number_to_report + 20):
        report(number_to_report)
    number_to_report += 1
    time.sleep(0.005)
print(number_to_report)
"""
    )
    service = make(f"{PYTHON} report.py")
    names = ["one", "two"]
    async with started(service), acknowledging(service, listener):
        for name in names:
            service.submit(trial(name))
            await listener.next(name, TrialReported)
        for _ in range(3):
            before = len(listener.of("one", TrialReported))
            victim = courier()
            victim.kill()
            names.append(f"late{before}")
            service.submit(trial(names[-1]))
            await listener.next("one", TrialReported, before + 2)
            assert courier().pid != victim.pid
        (code / "go").touch()
        for name in names:
            await listener.next(name, TrialEnded)
    assert len(names) == 5
    for name in names:
        total = int(Path(service.output_directory(name), "stdout").read_text())
        assert listener.values(name) == list(range(total))
        assert len(listener.of(name, TrialStarted)) == 1
        assert [event.exit_code for event in listener.of(name, TrialEnded)] == [0]


async def test_cancel_reaches_a_trial_whose_courier_was_killed(make: MakeService, listener: Listener) -> None:
    service = make("exec sleep 1000")
    async with started(service):
        service.submit(trial())
        await listener.next("abcde", TrialStarted)
        courier().kill()
        service.cancel("abcde", 0)
        ended = await listener.next("abcde", TrialEnded)
    assert ended.signal == signal.SIGINT


async def test_a_killed_runner_is_told_and_nothing_of_its_trial_is_left(
    make: MakeService, tmp_path: Path, code: Path, listener: Listener
) -> None:
    (code / "hold.py").write_text(REPORTER + HOLDER + "report(1)\nwait()\n")
    service = make(f"{PYTHON} hold.py; exit $?")
    async with started(service):
        service.submit(trial())
        await listener.next("abcde", TrialReported)
        runner(tmp_path).kill()
        ended = await listener.next("abcde", TrialEnded)
    assert ended.problem.startswith("runner lost")
    assert (ended.exit_code, ended.signal) == (None, None)
    pids = [int(line) for line in output(tmp_path, "pids").read_text().split()]
    assert len(pids) == 4
    assert [pid for pid in pids if runs(pid)] == []


@pytest.mark.parametrize("same_boot", [True, False])
async def test_a_runner_lost_while_no_manager_ran(
    make: MakeService, tmp_path: Path, listener: Listener, same_boot: bool
) -> None:
    service = make("exec sleep 1000")
    async with started(service):
        service.submit(trial())
        await listener.next("abcde", TrialStarted)
    lost = runner(tmp_path)
    (command,) = lost.children()
    lost.kill()
    await gone(lost.pid)
    record_file = output(tmp_path, ".nni/0/run.json")
    record = json.loads(record_file.read_text())
    if not same_boot:
        # Another process has the number of the command now: nothing may happen to it.
        with psutil.Popen(["sleep", "1000"]) as bystander:
            record["command"]["pid"] = bystander.pid
            record["boot_id"] = "another"
            record_file.write_text(json.dumps(record))
            command.kill()
            again = Listener()
            async with started(make("false", emit=again.emit)) as service:
                service.adopt("abcde", 0, 0)
                ended = await again.next("abcde", TrialEnded)
            assert bystander.poll() is None
            bystander.kill()
    else:
        again = Listener()
        async with started(make("false", emit=again.emit)) as service:
            service.adopt("abcde", 0, 0)
            ended = await again.next("abcde", TrialEnded)
        assert not runs(command.pid)
    assert ended.problem.startswith("runner lost")


@pytest.mark.parametrize("copied_records", [True, False])
async def test_trials_of_the_original_are_left_alone_by_a_copy_of_the_experiment(
    make: MakeService, tmp_path: Path, listener: Listener, copied_records: bool
) -> None:
    """The copy has the same ids, and its trials' records name processes of the original."""
    original = make("exec sleep 1000")
    async with started(original):
        original.submit(trial())
        await listener.next("abcde", TrialStarted)
        (command,) = runner(tmp_path).children()
        copy, again = tmp_path / "copy", Listener()
        shutil.copytree(tmp_path / "experiment" / "trials", copy / "trials", symlinks=True)
        if not copied_records:
            shutil.rmtree(copy / "trials" / "abcde" / ".nni")
        async with started(make("false", experiment_directory=copy, emit=again.emit)) as service:
            service.adopt("abcde", 0, 0)
            service.cancel("abcde", 0)
            ended = await again.next("abcde", TrialEnded)
        assert ended.exit_code is None and ended.problem
        assert runs(command.pid)
        # The folder may be moved and reached by another path.
        (tmp_path / "experiment").rename(tmp_path / "moved")
        (tmp_path / "experiment").symlink_to(tmp_path / "moved")
        original.cancel("abcde", 0)
        await listener.next("abcde", TrialEnded)
        assert not runs(command.pid)


async def test_a_runner_pid_that_is_another_process_now_is_not_trusted(
    make: MakeService, tmp_path: Path, listener: Listener
) -> None:
    service = make("true")
    async with started(service):
        service.submit(trial())
        await listener.next("abcde", TrialEnded)
    output(tmp_path, ".nni/0/exit.json").unlink()
    record_file = output(tmp_path, ".nni/0/run.json")
    record = json.loads(record_file.read_text())
    record["runner"]["pid"] = os.getpid()
    record_file.write_text(json.dumps(record))
    again = Listener()
    async with started(make("false", emit=again.emit)) as service:
        service.adopt("abcde", 0, 0)
        service.cancel("abcde", 0)
        ended = await again.next("abcde", TrialEnded)
    assert ended.problem.startswith("runner lost")


async def test_a_courier_that_never_works_is_given_up(
    make: MakeService, tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nni_manager.training.courier_connection._FIRST_PAUSE", 0.001)
    service = make("exec sleep 1000")
    async with started(service):
        service.submit(trial())
        await listener.next("abcde", TrialStarted)
        monkeypatch.setattr(sys, "executable", "/bin/false")
        courier().kill()
        while not isinstance(listener.seen[-1], TrainingServiceFailed):
            await asyncio.sleep(0.01)
        failed = listener.seen[-1]
        assert "exit code 1" in failed.message
    runner(tmp_path).terminate()
    await gone(runner(tmp_path).pid)


async def test_a_courier_that_cannot_start_is_said_at_once(
    make: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make("true")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(TrainingServiceError, match="/nowhere/python"):
        await service.start()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(TrainingServiceError, match="exit code 1"):
        await service.start()
    await service.close()


async def test_hang_up_and_interrupts_of_the_manager_do_not_reach_trials(
    make: MakeService, tmp_path: Path, listener: Listener
) -> None:
    service = make("exec sleep 1000")
    async with started(service):
        service.submit(trial())
        await listener.next("abcde", TrialStarted)
        watcher = runner(tmp_path)
        assert len({os.getsid(0), os.getsid(courier().pid), os.getsid(watcher.pid)}) == 3
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGQUIT):
            watcher.send_signal(number)
        service.cancel("abcde", 0)
        ended = await listener.next("abcde", TrialEnded)
    assert ended.signal == signal.SIGINT


async def test_the_sdk_is_first_on_the_path(make: MakeService, tmp_path: Path, listener: Listener) -> None:
    service = make(f"{sys.executable} -c 'import nni; print(nni.__file__)'")
    async with started(service):
        service.submit(trial())
        await listener.next("abcde", TrialEnded)
    sdk = tmp_path / "experiment" / "sdk" / "nni"
    assert output(tmp_path, "stdout").read_text().strip() == str(sdk / "__init__.py")
    assert (sdk / "runner.py").is_file()


async def test_first_signal_and_grace_are_settings(
    make: MakeService, tmp_path: Path, code: Path, listener: Listener
) -> None:
    (code / "wait.py").write_text(REPORTER + "report(0)\ntime.sleep(1000)\n")
    service = make(f"exec {PYTHON} wait.py", stop_signal=signal.SIGUSR1, grace_seconds=0.0)
    async with started(service):
        service.submit(trial())
        await listener.next("abcde", TrialReported)
        service.cancel("abcde", 0)
        ended = await listener.next("abcde", TrialEnded)
    assert ended.signal == signal.SIGUSR1


def test_own_interpreter_comes_first_only_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/somewhere/venv")
    assert path_with_own_interpreter({"PATH": "/usr/bin"}) == "/somewhere/venv/bin:/usr/bin"
    activated = "/somewhere/venv/bin:/usr/bin"
    assert path_with_own_interpreter({"PATH": activated}) == activated
    assert path_with_own_interpreter({}) == f"/somewhere/venv/bin:{os.defpath}"
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert path_with_own_interpreter({"PATH": "/usr/bin"}) == "/usr/bin"


def test_inherited_python_path_stays_behind_the_sdk() -> None:
    assert python_path(Path("/e/sdk"), {"PYTHONPATH": "/a:/b"}) == "/e/sdk:/a:/b"
    assert python_path(Path("/e/sdk"), {}) == "/e/sdk"


@pytest.mark.parametrize(("number", "expected"), [(None, None), (0, ""), (1, None)])
def test_visible_gpus(number: int | None, expected: str | None) -> None:
    assert trial_environment("local", "/code", number).get("CUDA_VISIBLE_DEVICES") == expected


async def test_a_service_that_is_closed_at_once_leaves_no_courier(make: MakeService) -> None:
    async with started(make("true")):
        opened = courier()
    assert not opened.is_running()
