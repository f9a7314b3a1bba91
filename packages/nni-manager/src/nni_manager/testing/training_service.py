"""The promises of training/interface.py as tests; a subclass binds them to an implementation.

class TestLocal(TrainingServiceContract):
    @pytest.fixture
    def place(self, tmp_path): return LocalPlace(tmp_path)
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import pytest

from nni_manager.engine.events import TrialEnded, TrialReported, TrialStarted
from nni_manager.engine.statuses import MetricKind
from nni_manager.training.interface import Emit, TrainingEvent, TrainingService, TrialRun

PATIENCE = 60.0
"""Seconds after which a test that waits for an event has failed."""

GRACE_SECONDS = 1.0
"""The grace period that the services under test are made with."""

PYTHON = f"{sys.executable} -S"

REPORTER = """
import json, os, sys, time
reporter = f"{os.getpid()}-test"
path = os.environ["NNI_SYS_DIR"] + "/reports.jsonl"
file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
number = 0
def report(value, kind="i"):
    global number
    line = {"k": kind, "r": reporter, "n": number, "t": time.time(), "v": value}
    os.write(file, (json.dumps(line) + "\\n").encode())
    number += 1
"""
"""The beginning of a trial script that reports as the SDK does."""

HOLDER = """
import os, signal, subprocess, sys, time
def note(pid):
    with open(os.environ["NNI_OUTPUT_DIR"] + "/pids", "a") as file:
        file.write(f"{pid}\\n")
def wait():
    while True:
        time.sleep(1000)
note(os.getpid())
child = os.fork()
if child == 0:
    wait()
note(child)
note(subprocess.check_output(["sh", "-c", "sleep 1000 > /dev/null & echo $!"], text=True).strip())
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    daemon = os.fork()
    if daemon:
        os.write(writer, str(daemon).encode())
        os._exit(0)
    wait()
note(os.read(reader, 20).decode())
"""
"""A trial script that leaves a forked child, a shell's background process and a daemon behind."""

E = TypeVar("E", TrialStarted, TrialReported, TrialEnded)


class Place(Protocol):
    """Where a contract runs: one experiment's folder that services are made for, one after another."""

    def service(self, command: str, emit: Emit) -> TrainingService:
        """Returns a service, not started, with GRACE_SECONDS and SIGINT as the first signal."""

    def write_code(self, name: str, text: str) -> None:
        """Puts a file into the trials' working directory."""

    def remove_code(self) -> None:
        """Removes the trials' working directory."""

    def read(self, trial_id: str, name: str) -> bytes:
        """Returns the content of a file in a trial's output folder."""

    def is_alive(self, pid: int) -> bool:
        """Returns whether a process runs on the trials' machine."""


class Listener:
    """Collects what a service emits."""

    def __init__(self) -> None:
        """Begins with nothing."""
        self.seen: list[TrainingEvent] = []
        self._arrived = asyncio.Event()

    def emit(self, event: TrainingEvent) -> None:
        """Is given to the service."""
        self.seen.append(event)
        self._arrived.set()

    def of(self, trial_id: str, kind: type[E]) -> list[E]:
        """Returns a trial's events of one type."""
        return [event for event in self.seen if isinstance(event, kind) and event.trial_id == trial_id]

    async def next(self, trial_id: str, kind: type[E], count: int = 1) -> E:
        """Waits until a trial has so many events of a type, and returns the last of them."""
        while len(self.of(trial_id, kind)) < count:
            self._arrived.clear()
            await asyncio.wait_for(self._arrived.wait(), PATIENCE)
        return self.of(trial_id, kind)[count - 1]

    async def drain(self, service: TrainingService, trial_id: str, attempt: int = 0) -> TrialEnded:
        """Acknowledges a trial's results until it has ended."""
        told = 0
        while not self.of(trial_id, TrialEnded):
            for event in self.of(trial_id, TrialReported)[told:]:
                service.acknowledge(trial_id, attempt, event.end_offset or 0)
                told += 1
            self._arrived.clear()
            if not self.of(trial_id, TrialEnded):
                await asyncio.wait_for(self._arrived.wait(), PATIENCE)
        return self.of(trial_id, TrialEnded)[0]

    def values(self, trial_id: str) -> list[Any]:
        """Returns what a trial reported, in order."""
        return [report.value for event in self.of(trial_id, TrialReported) for report in event.reports]


def trial(trial_id: str = "abcde", attempt: int = 0, parameters: Any = None, **environment: str) -> TrialRun:
    """Returns a trial to submit."""
    return TrialRun(trial_id, attempt, 0, 0, parameters, environment)


class TrainingServiceContract:
    """What every training service promises. Subclasses give the fixture `place`."""

    @pytest.fixture
    async def listener(self) -> Listener:
        """Collects the events of the services of a test."""
        return Listener()

    async def test_success(self, place: Place, listener: Listener) -> None:
        """A command that ends with 0 is told as started and ended."""
        async with started(place.service("echo out; echo err >&2", listener.emit)) as service:
            service.submit(trial())
            ended = await listener.next("abcde", TrialEnded)
        assert (ended.exit_code, ended.signal, ended.stderr_tail) == (0, None, "")
        assert "no process of it asked for its parameters" in ended.problem
        assert [type(event) for event in listener.seen] == [TrialStarted, TrialEnded]
        (begun,) = listener.of("abcde", TrialStarted)
        assert begun.at <= ended.at
        assert place.read("abcde", "stdout") == b"out\n"
        assert place.read("abcde", "stderr") == b"err\n"

    async def test_failure_has_exit_code_and_last_lines(self, place: Place, listener: Listener) -> None:
        """Another exit code comes with the last 20 lines of stderr, whatever bytes they hold."""
        command = r"seq 1 30 >&2; printf '5%%\r99%%\n\xff\xfeend' >&2; exit 7"
        async with started(place.service(command, listener.emit)) as service:
            service.submit(trial())
            ended = await listener.next("abcde", TrialEnded)
        assert (ended.exit_code, ended.signal, ended.problem) == (7, None, "")
        expected = [str(number) for number in range(13, 31)] + ["99%", "\ufffd\ufffdend"]
        assert ended.stderr_tail.split("\n") == expected

    @pytest.mark.parametrize(
        ("command", "signal_number"), [("kill -9 $$", 9), (f"exec {PYTHON} -c 'import os; os.abort()'", 6)]
    )
    async def test_death_by_signal(
        self, place: Place, listener: Listener, command: str, signal_number: int
    ) -> None:
        """A signal that ended the command is told as such."""
        async with started(place.service(command, listener.emit)) as service:
            service.submit(trial())
            ended = await listener.next("abcde", TrialEnded)
        assert (ended.exit_code, ended.signal, ended.problem) == (None, signal_number, "")

    async def test_shell_command(self, place: Place, listener: Listener) -> None:
        """The command is a shell's: its outcome is that of the whole."""
        place.write_code("sub/run.sh", "echo $A $PWD; exit 4")
        command = "cd sub && A='1 2' bash ./run.sh | tee copy; exit ${PIPESTATUS[0]}"
        async with started(place.service(command, listener.emit)) as service:
            service.submit(trial())
            ended = await listener.next("abcde", TrialEnded)
        assert ended.exit_code == 4
        assert place.read("abcde", "stdout").startswith(b"1 2 /")

    async def test_command_that_cannot_start(self, place: Place, listener: Listener) -> None:
        """A working directory that vanished is a problem of the trial, and others go on."""
        async with started(place.service("true", listener.emit)) as service:
            place.remove_code()
            service.submit(trial())
            ended = await listener.next("abcde", TrialEnded)
            place.write_code("back", "")
            service.submit(trial("other"))
            other = await listener.next("other", TrialEnded)
        assert "working directory" in ended.problem
        assert not listener.of("abcde", TrialStarted)
        assert other.exit_code == 0

    async def test_parameters_and_environment(self, place: Place, listener: Listener) -> None:
        """A trial finds its parameters unchanged, and no part of them in a path."""
        parameters = {
            "z": 2**53 + 1,
            "a": [1, 1.0, True, None, math.inf],
            "a:b*?": "../x" * 100,
            "\u00fc": {"\u00fc": "'$(exit)`\n\0"},
        }
        command = "cat $NNI_SYS_DIR/parameters.json; echo; echo $EXTRA; env"
        async with started(place.service(command, listener.emit)) as service:
            service.submit(trial(parameters=parameters, EXTRA="x=y z"))
            await listener.next("abcde", TrialEnded)
        content, extra, *variables = place.read("abcde", "stdout").decode().splitlines()
        found = json.loads(content)["parameters"]
        assert found == parameters
        assert list(found) == list(parameters)
        assert [type(element) for element in found["a"]] == [int, float, bool, type(None), float]
        assert extra == "x=y z"
        environment = dict(variable.split("=", 1) for variable in variables if "=" in variable)
        assert environment["NNI_TRIAL_JOB_ID"] == "abcde"
        assert environment["NNI_TRIAL_SEQ_ID"] == "0"
        assert environment["NNI_OUTPUT_DIR"] == service.output_directory("abcde")
        assert environment["NNI_OUTPUT_DIR"].endswith("/abcde")
        assert ".." not in environment["NNI_SYS_DIR"]

    async def test_reports_come_in_order_and_before_the_end(self, place: Place, listener: Listener) -> None:
        """Everything reported is told, in order and unchanged, also when the process dies right after."""
        script = (
            REPORTER
            + """
for number_to_report in range(4000):
    report(number_to_report)
report({"default": float("nan"), "b": [1, 1.0, None], "a": {"text": "\u00fc"}}, "f")
os._exit(3)
"""
        )
        place.write_code("report.py", script)
        async with started(place.service(f"{PYTHON} report.py", listener.emit)) as service:
            service.submit(trial())
            ended = await listener.drain(service, "abcde")
        assert ended.exit_code == 3
        assert listener.seen[-1] is ended
        *intermediate, final = listener.values("abcde")
        assert intermediate == list(range(4000))
        assert math.isnan(final.pop("default"))
        assert json.dumps(final) == json.dumps({"b": [1, 1.0, None], "a": {"text": "\u00fc"}})
        reports = [report for event in listener.of("abcde", TrialReported) for report in event.reports]
        assert [report.number for report in reports] == list(range(4001))
        assert {report.kind for report in reports[:-1]} == {MetricKind.INTERMEDIATE}
        assert reports[-1].kind is MetricKind.FINAL

    async def test_reports_of_a_running_trial(self, place: Place, listener: Listener) -> None:
        """A result is told while the trial runs, and a torn or broken line harms nothing."""
        script = (
            REPORTER
            + """
report("first")
while not os.path.exists("go"):
    time.sleep(0.01)
line = json.dumps({"k": "i", "r": reporter, "n": 1, "t": time.time(), "v": "x" * 1_000_000}).encode()
os.write(file, line[:500_000])
time.sleep(0.2)
os.write(file, line[500_000:] + b"\\n\\xff{broken\\n[]\\n")
number = 2
report("last")
os.write(file, b'{"k": "i", "r"')
"""
        )
        place.write_code("report.py", script)
        async with started(place.service(f"{PYTHON} report.py", listener.emit)) as service:
            service.submit(trial())
            await listener.next("abcde", TrialReported)
            assert not listener.of("abcde", TrialEnded)
            place.write_code("go", "")
            ended = await listener.drain(service, "abcde")
        assert ended.exit_code == 0
        assert listener.values("abcde") == ["first", "x" * 1_000_000, "last"]

    async def test_no_more_is_told_than_acknowledged(self, place: Place, listener: Listener) -> None:
        """A trial that reports without end does not fill the manager's memory."""
        script = (
            REPORTER
            + """
for number_to_report in range(20000):
    report(number_to_report)
open(os.environ["NNI_OUTPUT_DIR"] + "/done", "w")
"""
        )
        place.write_code("report.py", script)
        async with started(place.service(f"{PYTHON} report.py", listener.emit)) as service:
            service.submit(trial())
            await listener.next("abcde", TrialReported)
            service.submit(trial("other"))
            await listener.next("other", TrialReported)
            assert len(listener.of("abcde", TrialReported)) == 1
            assert len(listener.values("abcde")) <= 2000
            await listener.drain(service, "abcde")
        assert listener.values("abcde") == list(range(20000))

    async def test_submitting_twice_starts_once(self, place: Place, listener: Listener) -> None:
        """The same attempt again changes nothing, also for a service made anew; another attempt is run."""
        command = "echo $NNI_TRIAL_ATTEMPT"
        async with started(place.service(command, listener.emit)) as service:
            service.submit(trial())
            service.submit(trial())
            await listener.next("abcde", TrialEnded)
        again = Listener()
        async with started(place.service(command, again.emit)) as service:
            service.submit(trial())
            ended = await again.next("abcde", TrialEnded)
            assert place.read("abcde", "stdout") == b"0\n"
            service.submit(trial(attempt=1))
            await again.next("abcde", TrialEnded, count=2)
        assert ended.exit_code == 0
        assert len(again.of("abcde", TrialStarted)) == 2
        assert place.read("abcde", "stdout") == b"0\n1\n"

    async def test_trials_outlive_the_manager(self, place: Place, listener: Listener) -> None:
        """A running trial is found again, what was acknowledged is not told again, and the rest is."""
        script = (
            REPORTER
            + """
report(0)
report(1)
while not os.path.exists("go"):
    time.sleep(0.01)
report(2, "f")
sys.exit(5)
"""
        )
        place.write_code("report.py", script)
        async with started(place.service(f"{PYTHON} report.py", listener.emit)) as service:
            service.submit(trial())
            while len(listener.values("abcde")) < 2:
                count = len(listener.of("abcde", TrialReported)) + 1
                first = await listener.next("abcde", TrialReported, count)
                service.acknowledge("abcde", 0, first.end_offset or 0)
            position = first.end_offset or 0
        assert not listener.of("abcde", TrialEnded)
        again, late = Listener(), Listener()
        async with started(place.service("false", again.emit)) as service:
            service.adopt("abcde", 0, position)
            await again.next("abcde", TrialStarted)
            place.write_code("go", "")
            await again.next("abcde", TrialReported)
        assert again.values("abcde") == [2]
        async with started(place.service("false", late.emit)) as service:
            service.adopt("abcde", 0, 0)
            ended = await late.drain(service, "abcde")
        assert late.values("abcde") == [0, 1, 2]
        assert ended.exit_code == 5

    async def test_adopting_what_never_started(self, place: Place, listener: Listener) -> None:
        """It ends with a problem."""
        async with started(place.service("true", listener.emit)) as service:
            service.adopt("abcde", 0, 0)
            ended = await listener.next("abcde", TrialEnded)
        assert "never started" in ended.problem
        assert (ended.exit_code, ended.signal) == (None, None)

    @pytest.mark.parametrize("how", ["finish", "fail", "cancel"])
    async def test_nothing_is_left(self, place: Place, listener: Listener, how: str) -> None:
        """When the end is told, no process of the trial runs any more, sessions of their own included."""
        endings = {"finish": "sys.exit(0)", "fail": "os.kill(os.getpid(), 9)", "cancel": "report(0); wait()"}
        place.write_code("hold.py", REPORTER + HOLDER + endings[how])
        async with started(place.service(f"{PYTHON} hold.py; exit $?", listener.emit)) as service:
            service.submit(trial())
            if how == "cancel":
                await listener.next("abcde", TrialReported)
                service.cancel("abcde", 0)
            await listener.next("abcde", TrialEnded)
        pids = [int(line) for line in place.read("abcde", "pids").split()]
        assert len(set(pids)) == 4
        assert [pid for pid in pids if place.is_alive(pid)] == []

    async def test_cancel_lets_a_trial_save(self, place: Place, listener: Listener) -> None:
        """The first signal can be handled, and the trial's own exit code is told."""
        script = (
            REPORTER
            + """
try:
    report(0)
    time.sleep(1000)
except KeyboardInterrupt:
    time.sleep(0.3)
    report(1, "f")
    open(os.environ["NNI_OUTPUT_DIR"] + "/bye.txt", "w").write("bye")
    sys.exit(9)
"""
        )
        place.write_code("save.py", script)
        async with started(place.service(f"{PYTHON} save.py", listener.emit)) as service:
            service.submit(trial())
            first = await listener.next("abcde", TrialReported)
            service.acknowledge("abcde", 0, first.end_offset or 0)
            service.cancel("abcde", 0)
            ended = await listener.drain(service, "abcde")
            service.cancel("abcde", 0)
            service.cancel("never", 0)
        assert (ended.exit_code, ended.signal) == (9, None)
        assert listener.values("abcde") == [0, 1]
        assert place.read("abcde", "bye.txt") == b"bye"

    async def test_cancel_ends_in_kill(self, place: Place, listener: Listener) -> None:
        """A trial that ignores both signals is killed, and what it caught shows the order."""
        script = (
            REPORTER
            + """
import signal
caught = []
for number_of_signal in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number_of_signal, lambda which, frame: report(which))
report("ready")
while True:
    time.sleep(1000)
"""
        )
        place.write_code("stubborn.py", script)
        async with started(place.service(f"exec {PYTHON} stubborn.py", listener.emit)) as service:
            service.submit(trial())
            first = await listener.next("abcde", TrialReported)
            service.acknowledge("abcde", 0, first.end_offset or 0)
            service.cancel("abcde", 0)
            ended = await listener.drain(service, "abcde")
        assert (ended.exit_code, ended.signal) == (None, 9)
        assert listener.values("abcde") == ["ready", 2, 15]

    async def test_many_trials_at_once(self, place: Place, listener: Listener) -> None:
        """Each has exactly one start and one end."""
        names = [f"trial{number}" for number in range(40)]
        async with started(place.service("exit $NNI_TRIAL_ATTEMPT", listener.emit)) as service:
            for name in names:
                service.submit(trial(name))
            for name in names:
                await listener.next(name, TrialEnded)
        for name in names:
            assert len(listener.of(name, TrialStarted)) == 1
            assert [event.exit_code for event in listener.of(name, TrialEnded)] == [0]


@asynccontextmanager
async def started(service: TrainingService) -> AsyncIterator[TrainingService]:
    """Starts a service, and closes it in the end."""
    await service.start()
    try:
        yield service
    finally:
        await service.close()
