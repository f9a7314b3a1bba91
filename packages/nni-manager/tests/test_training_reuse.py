"""Reuse mode on this machine beyond the contract: what happens when a part is killed, at whatever moment."""

import asyncio
import json
import random
import shutil
import signal
import stat
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest
from nni_config.processes import process_start_time
from nni_manager.engine.events import TrialEnded, TrialStarted
from nni_manager.testing.reuse_mode import LOOP, StoringListener, run
from nni_manager.testing.training_service import PATIENCE, PYTHON, started
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.local import LocalTrainingService
from nni_manager.training.local.socket_path import socket_path

COMMAND = f"exec {PYTHON} loop.py"
MakeService = Callable[..., LocalTrainingService]


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # short, since a socket lies in it
    monkeypatch.setenv("NNI_RUNTIME_DIR", str(folder))
    yield folder
    left = list(folder.iterdir())
    shutil.rmtree(folder)
    assert left == []


@pytest.fixture
def listener() -> StoringListener:
    return StoringListener()


@pytest.fixture
def make(tmp_path: Path, runtime: Path, listener: StoringListener) -> MakeService:
    code, experiment = tmp_path / "code", tmp_path / "experiment"
    code.mkdir()
    experiment.mkdir()
    (code / "loop.py").write_text(LOOP)

    def service(command: str = COMMAND, to: StoringListener = listener) -> LocalTrainingService:
        to.service = LocalTrainingService(
            experiment_id="exp00001",
            experiment_directory=experiment,
            code_directory=code,
            command=command,
            emit=to.emit,
            grace_seconds=1.0,
            reuse_mode=True,
        )
        return to.service

    return service


@pytest.fixture
def system(tmp_path: Path) -> Callable[[int], Path]:
    """Returns the system folder of the n-th trial."""
    return lambda number: tmp_path / "experiment" / "trials" / f"t{number}" / ".nni" / "0"


@pytest.fixture
def pid(system: Callable[[int], Path]) -> Callable[[int], int]:
    """Returns the process that a trial runs in, or ran in."""
    return lambda number: int(json.loads((system(number) / "run.json").read_text())["command"]["pid"])


def courier() -> psutil.Process:
    (found,) = [
        child for child in psutil.Process().children() if runs(child) and "nni.courier" in child.cmdline()
    ]
    return found


async def until(condition: Callable[[], object]) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.002)


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@asynccontextmanager
async def at_random_moments(act: Callable[[], None]) -> AsyncIterator[None]:
    """Does something again and again."""
    dice = random.Random(1)

    async def keep_acting() -> None:
        while True:
            await asyncio.sleep(dice.uniform(0.0, 0.3))
            act()

    task = asyncio.create_task(keep_acting())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def count_ended(listener: StoringListener) -> int:
    return sum(isinstance(event, TrialEnded) for event in listener.seen)


async def keep_two_running(service: LocalTrainingService, listener: StoringListener, count: int) -> None:
    """Runs trials, two at a time, as an experiment does."""
    for number in range(2):
        service.submit(run(number))
    for number in range(2, count):
        await until(lambda number=number: count_ended(listener) > number - 2)
        service.submit(run(number))
    for number in range(count):
        await listener.next(f"t{number}", TrialEnded)


async def test_killed_couriers_lose_and_double_nothing(
    make: MakeService, listener: StoringListener, pid: Callable[[int], int]
) -> None:
    service, kills = make(), []

    def kill_courier() -> None:
        # One that did nothing yet is spared: five such deaths in a row mean that something is wrong.
        with suppress(ValueError, psutil.NoSuchProcess):
            ended = len(listener.seen)
            if not kills or kills[-1] < ended:
                courier().kill()
                kills.append(ended)

    async with started(service), at_random_moments(kill_courier):
        await keep_two_running(service, listener, 120)
    assert len(kills) > 1
    for number in range(120):
        name = f"t{number}"
        assert [event.exit_code for event in listener.of(name, TrialEnded)] == [0]
        assert len(listener.of(name, TrialStarted)) == 1
        assert listener.values(name) == [name, {}]
    assert len({pid(number) for number in range(120)}) == 2


async def test_killed_processes_lose_and_double_nothing(
    make: MakeService, listener: StoringListener, pid: Callable[[int], int]
) -> None:
    service, victims = make(), []

    def kill_process() -> None:
        with suppress(psutil.NoSuchProcess):
            for runner in courier().children()[:1]:
                for child in runner.children():
                    victims.append(child.pid)
                    child.kill()

    async with started(service), at_random_moments(kill_process):
        await keep_two_running(service, listener, 150)
    assert len(victims) > 1
    outcomes = set()
    for number in range(150):
        name = f"t{number}"
        (ended,) = listener.of(name, TrialEnded)
        assert len(listener.of(name, TrialStarted)) == 1
        outcomes.add((ended.exit_code, ended.signal, ended.problem))
        if ended.exit_code == 0:
            assert listener.values(name) == [name, {}]
    assert outcomes <= {(0, None, ""), (None, 9, "")}


async def test_a_process_that_dies_while_it_waits_ends_nothing(
    make: MakeService, listener: StoringListener, pid: Callable[[int], int]
) -> None:
    service = make()
    async with started(service):
        service.submit(run(0))
        await listener.next("t0", TrialEnded)
        waiting = psutil.Process(pid(0))
        waiting.kill()
        service.submit(run(1))
        ended = await listener.next("t1", TrialEnded)
        assert pid(1) != waiting.pid
    assert ended.exit_code == 0
    assert listener.values("t1") == ["t1", {}]
    assert len(listener.of("t0", TrialEnded)) == 1


async def test_a_trial_that_a_dying_process_never_took_runs_in_another(
    make: MakeService, listener: StoringListener, pid: Callable[[int], int]
) -> None:
    service = make()
    async with started(service):
        service.submit(run(0))
        await listener.next("t0", TrialEnded)
        waiting = psutil.Process(pid(0))
        waiting.suspend()
        service.submit(run(1))
        await listener.next("t1", TrialStarted)
        waiting.kill()
        ended = await listener.next("t1", TrialEnded)
        assert pid(1) != waiting.pid
    assert (ended.exit_code, ended.problem) == (0, "")
    assert listener.values("t1") == ["t1", {}]
    assert len(listener.of("t1", TrialStarted)) == 1


async def test_cancel_of_a_trial_that_its_process_did_not_take_yet(
    make: MakeService, listener: StoringListener, pid: Callable[[int], int]
) -> None:
    service = make()
    async with started(service):
        service.submit(run(0))
        await listener.next("t0", TrialEnded)
        psutil.Process(pid(0)).suspend()
        service.submit(run(1))
        await listener.next("t1", TrialStarted)
        service.cancel("t1", 0)
        ended = await listener.next("t1", TrialEnded)
    assert ended.exit_code != 0
    assert listener.values("t1") == []


async def test_courier_and_process_killed_at_once(
    make: MakeService, listener: StoringListener, pid: Callable[[int], int]
) -> None:
    service = make()
    async with started(service):
        service.submit(run(0))
        await listener.next("t0", TrialEnded)
        waiting = psutil.Process(pid(0))
        courier().kill()
        waiting.kill()
        service.submit(run(1))
        assert (await listener.next("t1", TrialEnded)).exit_code == 0
        service.submit(run(2, {"wait": "never"}))
        await listener.next("t2", TrialStarted)
        assert pid(2) == pid(1)
        running = psutil.Process(pid(2))
        courier().kill()
        running.kill()
        ended = await listener.next("t2", TrialEnded)
    assert (ended.exit_code, ended.signal) == (None, signal.SIGKILL)


async def test_a_waiting_process_whose_runner_is_killed_gets_no_trial(
    make: MakeService, listener: StoringListener, pid: Callable[[int], int]
) -> None:
    service = make()
    async with started(service):
        service.submit(run(0))
        await listener.next("t0", TrialEnded)
        waiting = psutil.Process(pid(0))
        runner = waiting.parent()
        assert runner is not None
        runner.kill()
        await until(lambda: not runs(waiting))
        service.submit(run(1))
        assert (await listener.next("t1", TrialEnded)).exit_code == 0
        assert pid(1) != waiting.pid
    assert len(listener.of("t0", TrialEnded)) == 1


async def test_cancel_reaches_a_handed_trial_whose_courier_was_killed(
    make: MakeService, listener: StoringListener, pid: Callable[[int], int]
) -> None:
    service = make()
    async with started(service):
        service.submit(run(0))
        await listener.next("t0", TrialEnded)
        service.submit(run(1, {"wait": "never"}))
        await listener.next("t1", TrialStarted)
        courier().kill()
        service.cancel("t1", 0)
        ended = await listener.next("t1", TrialEnded)
        assert process_start_time(pid(0)) is None
        service.submit(run(2))
        assert (await listener.next("t2", TrialEnded)).exit_code == 0
    assert ended.exit_code != 0


async def test_close_stops_what_waits_though_the_courier_has_just_died(
    make: MakeService, listener: StoringListener, pid: Callable[[int], int]
) -> None:
    service = make()
    async with started(service):
        service.submit(run(0))
        await listener.next("t0", TrialEnded)
        waiting = psutil.Process(pid(0))
        courier().kill()
        assert runs(waiting)
    assert not runs(waiting)


async def test_close_waits_for_what_was_told_to_end_by_a_courier_that_has_died(
    make: MakeService, listener: StoringListener, pid: Callable[[int], int]
) -> None:
    service = make(f"{PYTHON} loop.py; exec sleep 1000")
    async with started(service):
        service.submit(run(0, {"wait": "never"}))
        await listener.next("t0", TrialStarted)
        service.submit(run(1))
        await listener.next("t1", TrialEnded)
        running, leaving = psutil.Process(pid(0)), psutil.Process(pid(1))
        service.release()
        await until(lambda: "sleep" in leaving.cmdline() or "sleep" in leaving.name())
        courier().kill()
    assert not runs(leaving)
    assert runs(running)
    again = StoringListener()
    async with started(make(to=again)) as second:
        second.adopt("t0", 0, 0)
        second.cancel("t0", 0)
        await again.next("t0", TrialEnded)
    assert not runs(running)


async def test_release_reaches_what_waits_though_the_courier_has_just_died(
    make: MakeService, listener: StoringListener, pid: Callable[[int], int]
) -> None:
    service = make()
    async with started(service):
        service.submit(run(0))
        await listener.next("t0", TrialEnded)
        courier().kill()
        service.release()
        await until(lambda: process_start_time(pid(0)) is None)


async def test_a_manager_that_was_killed_finds_everything_again(
    make: MakeService, listener: StoringListener, pid: Callable[[int], int], tmp_path: Path
) -> None:
    service = make()
    await service.start()
    for number in range(2):
        service.submit(run(number, {"wait": f"go{number}"}))
        await listener.next(f"t{number}", TrialStarted)
    (tmp_path / "code" / "go0").touch()
    await listener.next("t0", TrialEnded)
    victim = courier()
    assert service._connection._task is not None
    service._connection._task.cancel()  # as if the manager was killed: nobody says good-bye
    victim.kill()
    await until(lambda: not runs(victim))
    (tmp_path / "code" / "go1").touch()
    again = StoringListener()
    async with started(make(to=again)) as second:
        second.adopt("t1", 0, 0)
        for number in range(2, 4):
            second.submit(run(number))
        for number in range(1, 4):
            assert (await again.next(f"t{number}", TrialEnded)).exit_code == 0
            assert again.values(f"t{number}") == [f"t{number}", again.values(f"t{number}")[1]]
        pids = {pid(number) for number in range(4)}
    assert len(pids) == 2
    assert not any(process_start_time(pid) for pid in pids)


async def test_a_process_that_asks_before_its_trial_is_adopted_runs_it_once(
    make: MakeService, listener: StoringListener, system: Callable[[int], Path], tmp_path: Path
) -> None:
    service = make()
    await service.start()
    service.submit(run(0, {"wait": "go"}))
    await listener.next("t0", TrialStarted)
    victim = courier()
    assert service._connection._task is not None
    service._connection._task.cancel()
    victim.kill()
    await until(lambda: not runs(victim))
    (tmp_path / "code" / "go").touch()
    again = StoringListener()
    async with started(make(to=again)) as second:
        await until(lambda: (system(0) / "done.json").exists())
        second.adopt("t0", 0, 0)
        assert (await again.next("t0", TrialEnded)).exit_code == 0
        second.submit(run(1))
        assert (await again.next("t1", TrialEnded)).exit_code == 0
    output = (tmp_path / "experiment" / "trials" / "t0" / "stdout").read_text()
    assert len(output.splitlines()) == 1
    assert again.values("t0") == ["t0", {"wait": "go"}]


async def test_the_next_manager_finds_the_processes_though_its_runtime_folder_is_another(
    make: MakeService,
    listener: StoringListener,
    runtime: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    service = make()
    await service.start()
    service.submit(run(0, {"wait": "go"}))
    await listener.next("t0", TrialStarted)
    victim = courier()
    assert service._connection._task is not None
    service._connection._task.cancel()
    victim.kill()
    await until(lambda: not runs(victim))
    with tempfile.TemporaryDirectory(dir="/tmp") as other:
        monkeypatch.setenv("NNI_RUNTIME_DIR", other)
        again = StoringListener()
        async with started(make(to=again)) as second:
            second.adopt("t0", 0, 0)
            (tmp_path / "code" / "go").touch()
            assert (await again.next("t0", TrialEnded)).exit_code == 0
        assert list(Path(other).iterdir()) == []


def test_a_copied_experiment_has_a_socket_of_its_own(tmp_path: Path, runtime: Path) -> None:
    (tmp_path / "a").mkdir()
    first = socket_path(tmp_path / "a")
    assert socket_path(tmp_path / "a") == first
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert socket_path(tmp_path / "b") != first


async def test_only_the_user_may_use_the_socket(
    make: MakeService, runtime: Path, listener: StoringListener
) -> None:
    async with started(make()):
        socket, note = sorted(runtime.iterdir())
        assert stat.S_ISSOCK(socket.stat().st_mode) and note.name == f"{socket.name}.port"
        assert stat.S_IMODE(socket.stat().st_mode) == stat.S_IMODE(note.stat().st_mode) == 0o600
        assert stat.S_IMODE(runtime.stat().st_mode) == 0o700


async def test_a_path_too_long_for_a_socket_is_told(
    make: MakeService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NNI_RUNTIME_DIR", str(tmp_path / ("x" * 100)))
    with pytest.raises(TrainingServiceError, match=r"too long for a socket.*NNI_RUNTIME_DIR"):
        await make().start()


async def test_a_runtime_folder_open_to_others_is_told(
    make: MakeService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    monkeypatch.setenv("NNI_RUNTIME_DIR", str(folder))
    with pytest.raises(TrainingServiceError, match=r"reuse_mode: .* is open to other users"):
        await make().start()
