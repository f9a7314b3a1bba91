"""What a training service promises in reuse mode (behaviour.md T9), as tests.

What a process printed is here when the service is closed, also what it printed after its last trial. Before
that, it may come later than the end of its trial is told.

A subclass gives the fixture `place`, as for TrainingServiceContract, whose services have reuse mode on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from nni_manager.engine.events import TrialEnded, TrialReported, TrialStarted
from nni_manager.testing.training_service import PATIENCE, PYTHON, Listener, Place, started
from nni_manager.training.interface import TrainingEvent, TrainingService, TrialRun

LOOP = """
import os, sys, time
import nni
while True:
    parameters = nni.get_next_parameter()
    if parameters is None:
        break
    print(os.getpid(), nni.get_trial_id(), nni.get_sequence_id(), os.environ["NNI_TRIAL_ATTEMPT"])
    while parameters.get("wait") and not os.path.exists(parameters["wait"]):
        time.sleep(0.005)
    if parameters.get("exit"):
        sys.exit("this trial goes wrong")
    nni.report_intermediate_result(nni.get_trial_id())
    nni.report_final_result(parameters)
print("left the loop")
time.sleep(float(os.environ.get("LINGER", 0)))
"""
"""A looping trial script; its parameters are a dict that may make it wait for a file, or fail."""

ONCE = """
import os
import nni
nni.report_final_result(nni.get_next_parameter())
print(os.getpid())
"""
"""A trial script that asks once."""


def run(number: int, parameters: object = None, attempt: int = 0, **environment: str) -> TrialRun:
    """Returns the n-th trial, with the id t<n>."""
    return TrialRun(f"t{number}", attempt, number, number, parameters or {}, environment)


class StoringListener(Listener):
    """Acknowledges every result at once, as a manager does that has stored it."""

    service: TrainingService | None = None

    def emit(self, event: TrainingEvent) -> None:
        """Is given to the service."""
        super().emit(event)
        if isinstance(event, TrialReported) and self.service is not None:
            self.service.acknowledge(event.trial_id, event.attempt, event.end_offset or 0)


@asynccontextmanager
async def serving(place: Place, command: str, listener: StoringListener) -> AsyncIterator[TrainingService]:
    """Starts a service, and closes it in the end."""
    listener.service = place.service(command, listener.emit)
    async with started(listener.service) as service:
        yield service


class ReuseModeContract:
    """What every training service promises in reuse mode."""

    @pytest.fixture
    async def listener(self) -> StoringListener:
        """Collects the events of the services of a test."""
        return StoringListener()

    @pytest.fixture
    def loop(self, place: Place) -> str:
        """The command of a looping script."""
        place.write_code("loop.py", LOOP)
        return f"exec {PYTHON} loop.py"

    async def test_one_process_takes_trial_after_trial(
        self, place: Place, listener: StoringListener, loop: str
    ) -> None:
        """Each has its own ids, output, start, results and end."""
        async with serving(place, loop, listener) as service:
            for number in range(5):
                service.submit(run(number, {"x": number}))
                ended = await listener.next(f"t{number}", TrialEnded)
                assert (ended.exit_code, ended.problem) == (0, "")
            service.release()
            await gone(place, await pid_when_here(place, 4))
        assert len({pid_of(place, number) for number in range(5)}) == 1
        for number in range(5):
            name = f"t{number}"
            own = [type(event) for event in listener.seen if getattr(event, "trial_id", "") == name]
            assert own[0] is TrialStarted and own[-1] is TrialEnded
            assert set(own[1:-1]) == {TrialReported}
            assert listener.values(name) == [name, {"x": number}]
            first, *more = place.read(name, "stdout").decode().splitlines()
            assert first.split()[1:] == [name, str(number), "0"]
            assert more == (["left the loop"] if number == 4 else [])

    async def test_slots_side_by_side(self, place: Place, listener: StoringListener, loop: str) -> None:
        """Two processes share the trials."""
        async with serving(place, loop, listener) as service:
            for number in range(2):
                service.submit(run(number))
            for number in range(20):
                await listener.next(f"t{number}", TrialEnded)
                service.submit(run(number + 2))
            for number in range(20, 22):
                await listener.next(f"t{number}", TrialEnded)
        assert len({pid_of(place, number) for number in range(22)}) == 2
        for number in range(22):
            assert listener.values(f"t{number}") == [f"t{number}", {}]
            assert len(listener.of(f"t{number}", TrialStarted)) == 1

    async def test_a_script_that_asks_once_is_started_anew(
        self, place: Place, listener: StoringListener
    ) -> None:
        """Every trial has a process of its own, and ends with it."""
        place.write_code("once.py", ONCE)
        async with serving(place, f"{PYTHON} once.py; exit 3", listener) as service:
            for number in range(3):
                service.submit(run(number))
                assert (await listener.next(f"t{number}", TrialEnded)).exit_code == 3
        assert len({pid_of(place, number) for number in range(3)}) == 3

    async def test_another_attempt(self, place: Place, listener: StoringListener, loop: str) -> None:
        """It is told from the first, in the same process too."""
        async with serving(place, loop, listener) as service:
            service.submit(run(0))
            await listener.next("t0", TrialEnded)
            service.submit(run(0, attempt=1))
            ended = await listener.next("t0", TrialEnded, count=2)
        assert (ended.attempt, ended.exit_code) == (1, 0)
        lines = [line.split() for line in place.read("t0", "stdout").decode().splitlines()]
        assert [line[3] for line in lines if len(line) == 4] == ["0", "1"]

    async def test_what_ends_the_process_ends_only_its_trial(
        self, place: Place, listener: StoringListener, loop: str
    ) -> None:
        """The exit code and the last lines are those of the trial that ran then; the next one runs anew."""
        async with serving(place, loop, listener) as service:
            service.submit(run(0))
            assert (await listener.next("t0", TrialEnded)).exit_code == 0
            service.submit(run(1, {"exit": 1}))
            failed = await listener.next("t1", TrialEnded)
            service.submit(run(2))
            assert (await listener.next("t2", TrialEnded)).exit_code == 0
        assert (failed.exit_code, failed.stderr_tail) == (1, "this trial goes wrong")
        assert place.read("t0", "stderr") == b""
        pids = [pid_of(place, number) for number in range(3)]
        assert pids[0] == pids[1] != pids[2]

    async def test_cancel_stops_the_process(self, place: Place, listener: StoringListener, loop: str) -> None:
        """The trial before it stays as it ended, the one after it has a new process."""
        async with serving(place, loop, listener) as service:
            service.submit(run(0))
            await listener.next("t0", TrialEnded)
            service.submit(run(1, {"wait": "never"}))
            await listener.next("t1", TrialStarted)
            service.cancel("t0", 0)
            service.cancel("t1", 0)
            canceled = await listener.next("t1", TrialEnded)
            service.submit(run(2))
            assert (await listener.next("t2", TrialEnded)).exit_code == 0
        assert canceled.exit_code != 0
        assert len(listener.of("t0", TrialEnded)) == 1
        assert not place.is_alive(pid_of(place, 0))
        assert pid_of(place, 2) != pid_of(place, 0)

    async def test_release_holds_until_a_trial_is_submitted(
        self, place: Place, listener: StoringListener, loop: str
    ) -> None:
        """A process that asks later is let go too; the next trial has a new one, which waits again."""
        async with serving(place, loop, listener) as service:
            service.submit(run(0, {"wait": "go"}))
            await listener.next("t0", TrialStarted)
            service.release()
            place.write_code("go", "")
            await listener.next("t0", TrialEnded)
            await gone(place, await pid_when_here(place, 0))
            for number in range(1, 3):
                service.submit(run(number))
                await listener.next(f"t{number}", TrialEnded)
        pids = [pid_of(place, number) for number in range(3)]
        assert pids[0] != pids[1] == pids[2]

    async def test_no_process_gets_a_trial_with_another_environment(
        self, place: Place, listener: StoringListener, loop: str
    ) -> None:
        """What a process cannot change any more, such as its GPUs, is that of its trials."""
        async with serving(place, loop, listener) as service:
            for number, gpu in enumerate("0101"):
                service.submit(run(number, CUDA_VISIBLE_DEVICES=gpu))
                await listener.next(f"t{number}", TrialEnded)
        pids = [pid_of(place, number) for number in range(4)]
        assert pids[:2] == pids[2:]
        assert pids[0] != pids[1]

    async def test_what_is_added_for_a_trial_reaches_it(
        self, place: Place, listener: StoringListener
    ) -> None:
        """Its log and its own variables follow the trial."""
        place.write_code(
            "follow.py",
            "import logging, os, nni\n"
            "while nni.get_next_parameter() is not None:\n"
            "    logging.getLogger('own').info('in %s', nni.get_trial_id())\n"
            "    os.system('echo $NNI_TRIAL_TOKEN $NNI_TRIAL_JOB_ID')\n"
            "    os.write(2, os.environ['NNI_TRIAL_TOKEN'].encode())\n"
            "    nni.report_final_result(1)\n",
        )
        async with serving(place, f"exec {PYTHON} follow.py", listener) as service:
            for number in range(3):
                service.submit(run(number, NNI_TRIAL_TOKEN=f"secret{number}"))
                await listener.next(f"t{number}", TrialEnded)
        for number in range(3):
            name = f"t{number}"
            assert place.read(name, "stdout").decode() == f"secret{number} {name}\n"
            assert place.read(name, "stderr").decode() == f"secret{number}"
            (line,) = place.read(name, "trial.log").decode().splitlines()
            assert line.endswith(f"in {name}")

    async def test_close_stops_processes_without_a_trial(
        self, place: Place, listener: StoringListener, loop: str
    ) -> None:
        """Also one that does not end when it is told that there are no more trials."""
        async with serving(place, f"LINGER=1000 {loop}", listener) as service:
            for number in range(2):
                service.submit(run(number, {"wait": "go"}))
                await listener.next(f"t{number}", TrialStarted)
            place.write_code("go", "")
            for number in range(2):
                await listener.next(f"t{number}", TrialEnded)
        for number in range(2):
            assert b"left the loop" in place.read(f"t{number}", "stdout")
            assert not place.is_alive(pid_of(place, number))

    async def test_a_looping_process_outlives_the_manager(
        self, place: Place, listener: StoringListener, loop: str
    ) -> None:
        """It is found again with its trial, and takes more trials from whoever comes next."""
        again = StoringListener()
        async with serving(place, loop, listener) as service:
            service.submit(run(0))
            await listener.next("t0", TrialEnded)
            service.submit(run(1, {"wait": "go"}))
            await listener.next("t1", TrialStarted)
            while not place.read("t1", "stdout"):
                await asyncio.sleep(0.01)
        async with serving(place, loop, again) as service:
            service.adopt("t0", 0, 0)
            assert (await again.next("t0", TrialEnded)).exit_code == 0
            service.adopt("t1", 0, 0)
            await again.next("t1", TrialStarted)
            place.write_code("go", "")
            assert (await again.next("t1", TrialEnded)).exit_code == 0
            service.submit(run(2))
            assert (await again.next("t2", TrialEnded)).exit_code == 0
        assert not listener.of("t1", TrialEnded)
        assert [again.values(f"t{number}")[0] for number in range(3)] == ["t0", "t1", "t2"]
        assert len({pid_of(place, number) for number in range(3)}) == 1
        assert not place.is_alive(pid_of(place, 2))


def pid_of(place: Place, number: int) -> int:
    """Returns the process that ran a trial, as its script printed it."""
    return int(place.read(f"t{number}", "stdout").split()[0])


async def pid_when_here(place: Place, number: int) -> int:
    """Waits for a trial's output, which may come after its end was told; returns the process that ran it."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not place.read(f"t{number}", "stdout").endswith(b"\n"):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)
    return pid_of(place, number)


async def gone(place: Place, pid: int) -> None:
    """Waits until a process has ended."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while place.is_alive(pid):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)
