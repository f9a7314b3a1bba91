"""A tuner's process as the manager sees it: answers, failures, ends."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import textwrap
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from nni_config.processes import process_start_time
from nni_manager.engine.effects import (
    RequestParameters,
    TellFinalResult,
    TellImportedTrials,
    TellSearchSpace,
    TellTrialEnd,
)
from nni_manager.engine.events import AlgorithmFailed, ParametersProposed, ParametersRefused, TunerProcessed
from nni_manager.engine.statuses import TrialStatus
from nni_manager.tuning.algorithm_process import AlgorithmProcess
from nni_manager.tuning.interface import AlgorithmDied, AlgorithmError, AlgorithmSettings

SPACE = {"x": {"_type": "uniform", "_value": [0, 1]}}

HEADER = """
import os, sys, time, threading, logging
from nni.tuner import Tuner
from nni import NoMoreTrialError

class Base(Tuner):
    def update_search_space(self, search_space):
        self.space = search_space
    def generate_parameters(self, parameter_id, **kwargs):
        return {"id": parameter_id}
    def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
        pass
"""


async def gone(pid: int) -> None:
    """Returns once a process has ended, whether or not anybody waits for it."""
    while process_start_time(pid) is not None:
        await asyncio.sleep(0.005)


@dataclass
class Harness:
    """A tuner's process and what it emitted."""

    process: AlgorithmProcess
    log: Path
    events: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    number: int = 0

    def tell(self, kind: type, *args: Any) -> int:
        self.number += 1
        self.process.tell(kind(self.number, *args))
        return self.number

    async def until(self, *kinds: type) -> list[Any]:
        """Returns the events up to and with the first one of these kinds."""
        found = [await self.events.get()]
        while not isinstance(found[-1], kinds):
            found.append(await self.events.get())
        return found

    async def ask(self, *ids: int) -> list[Any]:
        self.tell(RequestParameters, ids)
        return await self.until(TunerProcessed, AlgorithmFailed, AlgorithmDied)

    async def parameters(self, *ids: int) -> list[Any]:
        return [event.parameters for event in await self.ask(*ids) if isinstance(event, ParametersProposed)]

    async def failure(self) -> AlgorithmFailed:
        return (await self.until(AlgorithmFailed))[-1]

    async def death(self) -> AlgorithmDied:
        return (await self.until(AlgorithmDied))[-1]

    @property
    def pid(self) -> int:
        connection = self.process._connection
        assert connection is not None
        return connection.pid


Make = Callable[..., Harness]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes a harness for a built-in tuner by name, or for the class MyTuner of some code."""
    harnesses: list[Harness] = []

    def made(name: str | None = None, code: str | None = None, **settings: Any) -> Harness:
        folder = tmp_path / "code"
        if code is not None:
            folder.mkdir(exist_ok=True)
            (folder / "mine.py").write_text(HEADER + textwrap.dedent(code))
        chosen = {
            "kind": "tuner",
            "name": name,
            "class_name": None if name else "mine.MyTuner",
            "code_directory": None if name else str(folder),
            "class_args": None,
            "search_space": SPACE,
            "optimize_mode": "minimize",
            "log_directory": tmp_path / "log",
            "checkpoint_directory": tmp_path / "checkpoint",
            **settings,
        }
        events: asyncio.Queue[Any] = asyncio.Queue()
        process = AlgorithmProcess(AlgorithmSettings(**chosen), events.put_nowait)
        harnesses.append(Harness(process, tmp_path / "log" / "dispatcher.log", events))
        return harnesses[-1]

    yield made
    for harness in harnesses:
        await harness.process.close()


async def test_answers_come_in_order_and_before_processed(make: Make) -> None:
    harness = make("Random", class_args={"seed": 1})
    await harness.process.start()
    events = await harness.ask(3, 4, 7)
    assert [event.parameter_id for event in events[:-1]] == [3, 4, 7]
    assert all(0 <= event.parameters["x"] <= 1 for event in events[:-1])
    assert isinstance(events[-1], TunerProcessed)
    assert events[-1].number == 1


async def test_what_is_not_returned_is_refused_and_may_come_later_from_any_thread(make: Make) -> None:
    harness = make(
        code="""
        class MyTuner(Base):
            def generate_multiple_parameters(self, parameter_id_list, **kwargs):
                self.owed = parameter_id_list[1:]
                self.callback = kwargs["st_callback"]
                return [{"first": 1}]
            def trial_end(self, parameter_id, success, **kwargs):
                assert not kwargs
                thread = threading.Thread(target=self.callback, args=(self.owed[0], {"late": success}))
                thread.start()
                thread.join()
                self.callback(99, {"never": "asked for"})
                self.callback(self.owed[0], {"twice": True})
        """
    )
    await harness.process.start()
    proposed, refused, processed = await harness.ask(1, 2, 3)
    assert (proposed.parameter_id, proposed.parameters) == (1, {"first": 1})
    assert refused == ParametersRefused((2, 3), "the tuner has no more trials")
    assert processed.number == 1
    harness.tell(TellTrialEnd, "abc", 1, TrialStatus.SUCCEEDED)
    late, processed = await harness.until(TunerProcessed)
    assert (late.parameter_id, late.parameters) == (2, {"late": True})
    assert processed.number == 2
    assert "99 are ignored" in harness.log.read_text()


async def test_who_keeps_the_callback_is_waited_for_while_nothing_runs(make: Make) -> None:
    """Behaviour C6: with a refusal the experiment would be over before the thread hands anything in."""
    harness = make(
        code="""
        class MyTuner(Base):
            asked = 0
            def generate_multiple_parameters(self, parameter_id_list, **kwargs):
                self.asked += 1
                if self.asked == 4:
                    raise NoMoreTrialError("that was all")
                if self.asked < 4:
                    self.callback, self.owed = kwargs["st_callback"], parameter_id_list
                return []
            def import_data(self, data):
                hand_in = lambda: [self.callback(id_, {"late": id_}) for id_ in self.owed]
                thread = threading.Thread(target=hand_in)
                thread.start()
                thread.join()
            def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
                self.callback = None
        """
    )
    await harness.process.start()
    assert [type(event) for event in await harness.ask(0, 1)] == [TunerProcessed]
    assert "owes 2 trials: the experiment waits for it" in harness.log.read_text()
    harness.tell(TellImportedTrials, ())
    late = await harness.until(TunerProcessed)
    assert [getattr(event, "parameters", None) for event in late] == [{"late": 0}, {"late": 1}, None]
    refused, _ = await harness.ask(2)  # two are running, and their ends are heard of
    assert refused == ParametersRefused((2,), "the tuner has no more trials")
    for parameter_id in (0, 1):
        harness.tell(TellTrialEnd, "abc", parameter_id, TrialStatus.SUCCEEDED)
        await harness.until(TunerProcessed)
    assert [type(event) for event in await harness.ask(3)] == [TunerProcessed]
    refused, _ = await harness.ask(4)  # it says that there is none
    assert refused == ParametersRefused((4,), "that was all")
    harness.tell(TellFinalResult, "abc", 0, {}, 1.0, False)
    await harness.until(TunerProcessed)
    refused, _ = await harness.ask(5)  # it has let go of the callback
    assert refused == ParametersRefused((5,), "the tuner has no more trials")


async def test_what_came_by_callback_is_not_refused(make: Make) -> None:
    harness = make(
        code="""
        class MyTuner(Base):
            def generate_multiple_parameters(self, parameter_id_list, **kwargs):
                kwargs["st_callback"](parameter_id_list[1], {"by": "callback"})
                return [{"by": "return"}]
        """
    )
    await harness.process.start()
    events = await harness.ask(0, 1, 2)
    assert [(event.parameter_id, event.parameters["by"]) for event in events[:2]] == [
        (1, "callback"),
        (0, "return"),
    ]
    assert events[2].parameter_ids == (2,)


async def test_no_more_trials(make: Make) -> None:
    harness = make(
        code="""
        class MyTuner(Base):
            def generate_multiple_parameters(self, parameter_id_list, **kwargs):
                raise NoMoreTrialError("that was all")
        """
    )
    await harness.process.start()
    refused, _ = await harness.ask(0, 1)
    assert refused == ParametersRefused((0, 1), "that was all")


async def test_a_tuner_is_called_as_nni_calls_it(make: Make, tmp_path: Path) -> None:
    harness = make(
        code="""
        import json
        class MyTuner(Base):
            def __init__(self, path, depth=3):
                super().__init__()
                self.calls = []
                self.path, self.depth = path, depth
            def update_search_space(self, search_space):
                self.calls.append(["space", search_space])
            def generate_parameters(self, parameter_id, **kwargs):
                self.calls.append(["generate", parameter_id, sorted(kwargs)])
                return {"a": parameter_id, "depth": self.depth}
            def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
                self.calls.append(["result", parameter_id, parameters, value, kwargs])
            def trial_end(self, parameter_id, success, **kwargs):
                self.calls.append(["end", parameter_id, success, kwargs])
            def _on_exit(self):
                self.calls.append(["exit", os.getcwd()])
                with open(self.path, "w") as file:
                    json.dump(self.calls, file)
        """,
        class_args={"path": str(tmp_path / "calls.json")},
        search_space=["any", {"json": 1.0}],
    )
    await harness.process.start()
    assert await harness.parameters(5) == [{"a": 5, "depth": 3}]
    harness.tell(TellFinalResult, "abc", 5, {"a": 5, "depth": 3}, {"default": 1, "text": "x"}, False)
    harness.tell(TellFinalResult, "usr", None, {"a": 0}, 0.5, True)
    harness.tell(TellTrialEnd, "usr", None, TrialStatus.SUCCEEDED)
    harness.tell(TellTrialEnd, "abc", 5, TrialStatus.FAILED)
    for _ in range(4):
        await harness.until(TunerProcessed)
    await harness.process.close()
    result = {"default": 1, "text": "x"}
    assert json.loads((tmp_path / "calls.json").read_text()) == [
        ["space", ["any", {"json": 1.0}]],
        ["generate", 5, ["st_callback"]],
        ["result", 5, {"a": 5, "depth": 3}, result, {"customized": False, "trial_job_id": "abc"}],
        ["end", 5, False, {}],
        ["exit", str(tmp_path / "log")],
    ]


async def test_what_the_protocol_cannot_carry_is_changed_and_told(make: Make) -> None:
    harness = make(
        code="""
        class MyTuner(Base):
            def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
                self.value = value
            def generate_parameters(self, parameter_id, **kwargs):
                return self.value
        """
    )
    await harness.process.start()
    deep: Any = 1
    for _ in range(50):
        deep = [deep]
    value = {"big": 2**70, "huge": -(10**400), "text": "\ud800", "\ud800": deep, "fine": [1, 1.5, None, True]}
    harness.tell(TellFinalResult, "abc", 0, {}, value, False)
    await harness.until(TunerProcessed)
    (told,) = await harness.parameters(0)
    assert (told["big"], told["huge"], told["text"]) == (2.0**70, -math.inf, "?")
    assert told["fine"] == [1, 1.5, None, True]
    depth, inner = 0, told["?"]
    while inner:
        depth, inner = depth + 1, inner[0]
    assert (depth, inner) == (29, None)


async def test_customized_results_reach_a_tuner_that_accepts_them(make: Make) -> None:
    harness = make(
        code="""
        class MyTuner(Base):
            def __init__(self):
                self._accept_customized_trials()
                self.heard = []
            def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
                self.heard.append([parameter_id, parameters, value, kwargs["customized"]])
            def generate_parameters(self, parameter_id, **kwargs):
                return {"heard": self.heard}
        """
    )
    await harness.process.start()
    harness.tell(TellFinalResult, "usr", None, {"a": 0}, 0.5, True)
    await harness.until(TunerProcessed)
    assert await harness.parameters(0) == [{"heard": [[None, {"a": 0}, 0.5, True]]}]


async def test_the_environment_of_an_algorithm(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    monkeypatch.setenv("NNI_PLATFORM", "local")
    code = """
        class MyTuner(Base):
            def generate_parameters(self, parameter_id, **kwargs):
                return {"environment": dict(os.environ), "argv": sys.argv, "path": sys.path}
        """
    harness = make(code=code, log_level="warning", environment={"EXTRA": "1"})
    await harness.process.start()
    (found,) = await harness.parameters(0)
    environment = found["environment"]
    expected = {
        "SDK_PROCESS": "dispatcher",
        "NNI_LOG_DIRECTORY": str(tmp_path / "log"),
        "NNI_CHECKPOINT_DIRECTORY": str(tmp_path / "checkpoint"),
        "NNI_LOG_LEVEL": "warning",
        "EXTRA": "1",
        "CUDA_VISIBLE_DEVICES": "5",
    }
    assert {name: environment[name] for name in expected} == expected
    assert "NNI_PLATFORM" not in environment
    assert (tmp_path / "checkpoint").is_dir()
    assert found["argv"][1:] == [str(int(found["argv"][1]))]
    assert str(tmp_path / "log") not in found["path"]
    assert os.getsid(harness.pid) == harness.pid != os.getsid(0)
    assert harness.log.stat().st_mode & 0o777 == 0o600


async def test_tuner_gpus_are_those_of_the_settings(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    code = """
        class MyTuner(Base):
            def generate_parameters(self, parameter_id, **kwargs):
                return os.environ["CUDA_VISIBLE_DEVICES"]
        """
    harness = make(code=code, environment={"CUDA_VISIBLE_DEVICES": ""})
    await harness.process.start()
    assert await harness.parameters(0) == [""]


async def test_the_process_loads_neither_grpc_nor_pydantic_nor_asyncio(make: Make) -> None:
    harness = make(
        code="""
        class MyTuner(Base):
            def generate_parameters(self, parameter_id, **kwargs):
                heavy = ["grpc", "pydantic", "asyncio", "numpy", "nni_manager.engine", "nni_config"]
                return [name for name in heavy if name in sys.modules]
        """
    )
    await harness.process.start()
    assert await harness.parameters(0) == [[]]


async def test_output_and_logging_are_in_dispatcher_log(make: Make) -> None:
    harness = make(
        code="""
        logger = logging.getLogger("nni.mine")
        class MyTuner(Base):
            def generate_parameters(self, parameter_id, **kwargs):
                print("printed")
                os.system("echo from a child")
                logger.info("logged")
                logger.debug("not logged")
                return {}
        """
    )
    await harness.process.start()
    await harness.ask(0)
    text = harness.log.read_text()
    assert (
        text.index("printed") < text.index("from a child") < text.index("INFO (nni.mine/MainThread) logged")
    )
    assert "not logged" not in text


async def test_numpy_values_and_tuples_become_json(make: Make) -> None:
    harness = make(
        code="""
        import numpy
        class MyTuner(Base):
            def generate_parameters(self, parameter_id, **kwargs):
                scalars = (numpy.int64(1), numpy.float32(.5), numpy.bool_(True), numpy.float64(2))
                return {"scalars": scalars, "array": numpy.arange(3), 1: {None: "null", True: 2}}
        """
    )
    await harness.process.start()
    (found,) = await harness.parameters(0)
    assert found == {"scalars": [1, 0.5, True, 2.0], "array": [0, 1, 2], "1": {"null": "null", "true": 2}}
    assert [type(value) for value in found["scalars"]] == [int, float, bool, float]


async def test_changing_the_search_space(make: Make) -> None:
    harness = make(
        code="""
        class MyTuner(Base):
            def update_search_space(self, search_space):
                if search_space == {"bad": 1}:
                    raise ValueError("not this one")
                self.space = search_space
            def generate_parameters(self, parameter_id, **kwargs):
                return self.space
        """
    )
    await harness.process.start()
    with pytest.raises(AlgorithmError, match="ValueError: not this one"):
        await harness.process.change_search_space(1, {"bad": 1})
    assert (await harness.until(TunerProcessed))[-1].number == 1
    await harness.process.change_search_space(2, {"good": 1})
    assert (await harness.until(TunerProcessed))[-1].number == 2
    harness.number = 2
    assert await harness.parameters(0) == [{"good": 1}]
    harness.tell(TellSearchSpace, {"bad": 1})
    assert (await harness.until(TunerProcessed))[-1].number == 4
    with pytest.raises(
        AlgorithmError, match=r"the search space cannot be told: x: .* does not fit in 64 bits"
    ):
        await harness.process.change_search_space(5, {"x": 2**70})
    assert (await harness.until(TunerProcessed))[-1].number == 5
    harness.number = 5
    assert await harness.parameters(1) == [{"good": 1}]


@pytest.mark.parametrize("place", ["generate_parameters", "receive_trial_result", "trial_end"])
async def test_an_exception_ends_the_tuner_once_with_its_traceback(make: Make, place: str) -> None:
    harness = make(
        code=f"""
        class MyTuner(Base):
            def {place}(self, *args, **kwargs):
                raise ZeroDivisionError("in {place}")
            def _on_error(self):
                print("on_error was called")
        """
    )
    await harness.process.start()
    harness.tell(RequestParameters, (0,))
    harness.tell(TellFinalResult, "abc", 0, {}, 1, False)
    harness.tell(TellTrialEnd, "abc", 0, TrialStatus.SUCCEEDED)
    failure = await harness.failure()
    assert failure.algorithm == "tuner"
    assert failure.message == f"MyTuner raised ZeroDivisionError: in {place}"
    assert f"in {place}\n    raise ZeroDivisionError" in failure.traceback
    harness.tell(RequestParameters, (1,))
    await harness.process.close()
    assert harness.events.empty()
    assert "on_error was called" in harness.log.read_text()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{1, 2}", "set is not a JSON type"),
        ("2 ** 70", "does not fit in 64 bits"),
    ],
)
async def test_parameters_that_cannot_be_sent_name_the_place(make: Make, value: str, expected: str) -> None:
    harness = make(
        code=f"""
        class MyTuner(Base):
            def generate_parameters(self, parameter_id, **kwargs):
                return {{"lr": [{value}]}}
        """
    )
    await harness.process.start()
    failure = (await harness.ask(0))[-1]
    assert expected in failure.message
    assert "lr[0]" in failure.message


async def test_a_killed_tuner_is_told_by_its_signal(make: Make) -> None:
    harness = make("Random")
    await harness.process.start()
    os.kill(harness.pid, signal.SIGKILL)
    death = await harness.death()
    assert death.message == "its process was ended by signal 9 (SIGKILL)"
    assert (death.algorithm, death.cause, death.has_worked) == ("tuner", "signal 9", False)
    await harness.process.close()
    assert harness.events.empty()


@pytest.mark.parametrize(
    ("statement", "ending", "last"),
    [
        ("os.write(2, b'the last words\\n'); os._exit(7)", "exited with exit code 7", "the last words"),
        ("sys.exit('a reason')", "exited with exit code 1", "a reason"),
        ("import ctypes; ctypes.string_at(0)", "ended by signal 11 (SIGSEGV)", "Segmentation fault"),
    ],
)
async def test_a_dead_tuner_is_told_with_its_last_lines(
    make: Make, statement: str, ending: str, last: str
) -> None:
    harness = make(
        code=f"""
        class MyTuner(Base):
            def generate_parameters(self, parameter_id, **kwargs):
                {statement}
        """
    )
    await harness.process.start()
    death = (await harness.ask(0))[-1]
    assert isinstance(death, AlgorithmDied)
    assert ending in death.message
    assert last in death.last_lines


async def test_death_is_noticed_although_a_child_holds_the_socket(make: Make) -> None:
    # A child that is made without Python's fork keeps the socket open.
    harness = make(
        code="""
        import ctypes
        class MyTuner(Base):
            def generate_parameters(self, parameter_id, **kwargs):
                libc = ctypes.PyDLL(None)
                reader, writer = os.pipe()
                if libc.fork() == 0:
                    libc.setsid()
                    os.write(writer, b"x")
                    libc.pause()
                os.read(reader, 1)
                kwargs["st_callback"](parameter_id, {"before": "death"})
                os._exit(3)
        """
    )
    await harness.process.start()
    children: list[psutil.Process] = []
    try:
        events = await harness.ask(0)
        children = [
            process
            for process in psutil.process_iter(["environ"])
            if (process.info["environ"] or {}).get("NNI_LOG_DIRECTORY") == str(harness.log.parent)
        ]
        assert len(children) == 1
        assert [type(event) for event in events] == [ParametersProposed, AlgorithmDied]
    finally:
        for child in children:
            child.kill()


async def test_slow_is_not_dead(make: Make) -> None:
    harness = make("Random")
    await harness.process.start()
    process = psutil.Process(harness.pid)
    process.suspend()
    while process.status() != psutil.STATUS_STOPPED:
        await asyncio.sleep(0.001)
    harness.tell(RequestParameters, (0,))
    await asyncio.sleep(0)
    assert harness.events.empty()
    process.resume()
    assert isinstance((await harness.until(TunerProcessed))[0], ParametersProposed)


async def test_close_kills_what_does_not_end(make: Make) -> None:
    harness = make(
        code="""
        import subprocess
        class MyTuner(Base):
            def generate_parameters(self, parameter_id, **kwargs):
                self.child = subprocess.Popen(["sleep", "1000"])
                kwargs["st_callback"](parameter_id, self.child.pid)
                while True:
                    time.sleep(1000)
        """
    )
    await harness.process.start()
    harness.tell(RequestParameters, (0,))
    (proposed,) = await harness.until(ParametersProposed)
    processes = [psutil.Process(harness.pid), psutil.Process(proposed.parameters)]
    await harness.process.close(grace_seconds=0)
    for process in processes:
        await gone(process.pid)
    assert harness.events.empty()


async def test_a_tuner_ends_when_the_manager_has_gone(make: Make) -> None:
    harness = make(
        code="""
        class MyTuner(Base):
            def _on_exit(self):
                print("on_exit was called")
        """
    )
    await harness.process.start()
    assert harness.process._connection is not None
    writer = harness.process._connection._writer
    process = psutil.Process(harness.pid)
    writer.close()
    await gone(process.pid)
    assert "on_exit was called" in harness.log.read_text()


async def test_close_before_start_and_twice(make: Make) -> None:
    harness = make("Random")
    await harness.process.close()
    await harness.process.start()
    await harness.process.close()
    await harness.process.close()


async def test_closing_while_it_starts(make: Make) -> None:
    harness = make(
        code="""
        class MyTuner(Base):
            def __init__(self):
                print("constructing", flush=True)
                time.sleep(1000)
        """
    )
    starting = asyncio.create_task(harness.process.start())
    while not (harness.log.exists() and "constructing" in harness.log.read_text()):
        await asyncio.sleep(0.01)
    await harness.process.close(grace_seconds=0)
    with pytest.raises(AlgorithmError):
        await starting
    assert harness.events.empty()
