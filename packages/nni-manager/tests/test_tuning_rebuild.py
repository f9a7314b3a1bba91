"""Algorithms that are made anew out of a history, as the manager sees their processes."""

from __future__ import annotations

import asyncio
import os
import signal
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from nni_manager.engine.effects import (
    RequestParameters,
    TellFinalResult,
    TellImportedTrials,
    TellIntermediateResult,
    TellSearchSpace,
    TellTrialEnd,
)
from nni_manager.engine.events import (
    AlgorithmFailed,
    ParametersProposed,
    ParametersRefused,
    TrialJudgedBad,
    TunerProcessed,
)
from nni_manager.engine.statuses import TrialStatus
from nni_manager.tuning import algorithm_process, responses
from nni_manager.tuning.algorithm_process import AlgorithmProcess
from nni_manager.tuning.interface import (
    AlgorithmDeathError,
    AlgorithmError,
    AlgorithmSettings,
    History,
    RebuildWay,
    Rebuilt,
)
from nni_proto.v1.algorithm_pb2 import AlgorithmRequest, HistoryTaken

SPACE = {"x": {"_type": "uniform", "_value": [0, 1]}}

HEADER = """
import os, random, sys, threading, time
from nni.tuner import Tuner
from nni import NoMoreTrialError

class Base(Tuner):
    def __init__(self):
        super().__init__()
        self.calls = []
    def update_search_space(self, search_space):
        self.calls.append(["space", search_space])
    def generate_parameters(self, parameter_id, **kwargs):
        self.calls.append(["ask", parameter_id])
        return {"calls": len(self.calls)}
    def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
        self.calls.append(["result", parameter_id, value])
    def trial_end(self, parameter_id, success, **kwargs):
        self.calls.append(["end", parameter_id, success])
    def receive_intermediate_result(self, parameter_id, trial_job_id, index, value):
        self.calls.append(["intermediate", parameter_id, trial_job_id, index, value])
    def import_data(self, data):
        self.calls.append(["import", data])

class Telling(Base):
    # Asked for the id 99 it proposes all the calls it has had.
    def generate_parameters(self, parameter_id, **kwargs):
        return {"calls": self.calls} if parameter_id == 99 else super().generate_parameters(parameter_id)
"""

Make = Callable[..., tuple[AlgorithmProcess, "asyncio.Queue[Any]"]]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes a built-in tuner by name, or the class My of some code, with the queue of what it emits."""
    processes: list[AlgorithmProcess] = []

    def made(
        name: str | None = None, code: str = "", **settings: Any
    ) -> tuple[AlgorithmProcess, asyncio.Queue[Any]]:
        (tmp_path / "code").mkdir(exist_ok=True)
        (tmp_path / "code" / "mine.py").write_text(HEADER + textwrap.dedent(code))
        events: asyncio.Queue[Any] = asyncio.Queue()
        chosen: dict[str, Any] = {
            "kind": "tuner",
            "name": name,
            "class_name": None if name else "mine.My",
            "code_directory": None if name else str(tmp_path / "code"),
            "class_args": None,
            "search_space": SPACE,
            "optimize_mode": "minimize",
            "log_directory": tmp_path / "log",
            "checkpoint_directory": tmp_path / "checkpoint",
            **settings,
        }
        processes.append(AlgorithmProcess(AlgorithmSettings(**chosen), events.put_nowait))
        return processes[-1], events

    yield made
    for process in processes:
        await process.close()


def proposed(parameter_id: int, parameters: Any) -> ParametersProposed:
    return ParametersProposed(parameter_id, parameters, 0.0)


def final(number: int, parameter_id: int | None, value: Any, parameters: Any = None) -> TellFinalResult:
    return TellFinalResult(
        number, f"trial{parameter_id}", parameter_id, parameters, value, customized=parameter_id is None
    )


def end(number: int, parameter_id: int | None) -> TellTrialEnd:
    return TellTrialEnd(number, f"trial{parameter_id}", parameter_id, TrialStatus.SUCCEEDED)


def log_of(process: AlgorithmProcess) -> str:
    return (process._settings.log_directory / "dispatcher.log").read_text()


async def until_processed(events: asyncio.Queue[Any], number: int) -> list[Any]:
    """Returns the events up to and without the one that a call was processed."""
    found = []
    while not (isinstance(event := await events.get(), TunerProcessed) and event.number == number):
        found.append(event)
    return found


async def ask(
    process: AlgorithmProcess, events: asyncio.Queue[Any], number: int, *ids: int
) -> dict[int, Any]:
    process.tell(RequestParameters(number, ids))
    answers = await until_processed(events, number)
    return {one.parameter_id: one.parameters for one in answers if isinstance(one, ParametersProposed)}


@pytest.mark.parametrize("name", ["TPE", "Random", "GridSearch"])
async def test_a_built_in_tuner_goes_on_where_the_one_before_was(make: Make, name: str) -> None:
    settings = {} if name == "GridSearch" else {"class_args": {"seed": 3}}
    first, events = make(name, **settings)
    await first.start()
    entries: list[Any] = []
    for number in range(1, 60, 2):
        ids = (number, number + 1)
        answers = await ask(first, events, number, *ids)
        entries += [RequestParameters(number, ids), *(proposed(*answer) for answer in answers.items())]
        parameters = answers[number]
        entries.append(final(number + 1, number, {"default": parameters["x"]}, parameters))
        first.tell(entries[-1])
    second, later_events = make(name, **settings)
    rebuilt = await second.start(History(tuple(entries), last_number=60))
    assert rebuilt == Rebuilt(RebuildWay.TOLD)
    (processed,) = [later_events.get_nowait() for _ in range(later_events.qsize())]
    assert processed.number == 60
    ids = tuple(range(100, 105))
    assert await ask(second, later_events, 61, *ids) == await ask(first, events, 61, *ids)


async def test_a_custom_tuner_is_called_again_in_the_recorded_order(make: Make) -> None:
    process, events = make(code="class My(Telling): pass", search_space="now")
    history = History(
        (
            RequestParameters(1, (0, 1)),
            proposed(0, {"calls": 2}),
            proposed(1, {"calls": 3}),
            TellIntermediateResult("trial0", 0, 0, {"a": 1}, 2),
            final(3, 0, 0.5),
            TellSearchSpace(4, "second"),
            end(5, 0),
            TellImportedTrials(6, ({"parameter": {"a": 1}, "value": [2]},)),
        ),
        open_calls=(RequestParameters(7, (2,)), TellIntermediateResult("trial1", 1, 0, 8, 8), final(9, 1, 9)),
        last_number=9,
        first_search_space="first",
    )
    assert await process.start(history) == Rebuilt(RebuildWay.REPLAYED)
    assert process.hears_intermediate_results
    assert (await events.get()).number == 6
    assert (await events.get()).parameters == {"calls": 9}
    await until_processed(events, 9)
    told = (await ask(process, events, 10, 99))[99]["calls"]
    assert told == [
        ["space", "first"],
        ["ask", 0],
        ["ask", 1],
        ["intermediate", 0, "trial0", 0, {"a": 1}],
        ["result", 0, 0.5],
        ["space", "second"],
        ["end", 0, True],
        ["import", [{"parameter": {"a": 1}, "value": [2]}]],
        ["ask", 2],
        ["intermediate", 1, "trial1", 0, 8],
        ["result", 1, 9],
    ]


RANDOM = """
class My(Telling):
    def generate_parameters(self, parameter_id, **kwargs):
        if parameter_id == 99:
            return super().generate_parameters(parameter_id)
        return {"x": random.random()}
    def recover_parameter_id(self, data):
        self.calls.append(["recover", [record["parameter_id"] for record in data]])
"""


async def test_where_a_replay_differs_a_fresh_tuner_imports_the_results(make: Make) -> None:
    process, events = make(code=RANDOM)
    history = History(
        (
            RequestParameters(1, (0, 1)),
            proposed(0, {"x": 0.25}),
            proposed(1, {"x": 0.75}),
            final(2, 0, {"default": 1}, {"x": 0.25}),
            end(3, 0),
            TellSearchSpace(4, "changed"),
            final(5, None, 3, {"x": "own"}),
            TellImportedTrials(6, ({"parameter": {"a": 1}, "value": 2},)),
        ),
        last_number=6,
    )
    rebuilt = await process.start(history)
    assert rebuilt is not None
    assert rebuilt.way is RebuildWay.IMPORTED
    assert rebuilt.difference.startswith('parameters of id 0: {"x": 0.25} before, {"x": 0.')
    process.tell(final(7, 1, 5, {"x": 0.75}))
    process.tell(end(8, 1))
    told = (await ask(process, events, 9, 99))[99]["calls"]
    assert told == [
        ["space", SPACE],
        ["space", "changed"],
        ["recover", [0, 1]],
        [
            "import",
            [
                {"parameter": {"x": 0.25}, "value": {"default": 1}},
                {"parameter": {"x": "own"}, "value": 3},
                {"parameter": {"a": 1}, "value": 2},
            ],
        ],
        ["import", [{"parameter": {"x": 0.75}, "value": 5}]],
    ]
    log = log_of(process)
    assert "The replay differed, another process imports the results. parameters of id 0" in log
    assert "A fresh tuner imported 3 results." in log


@pytest.mark.parametrize(
    ("code", "difference"),
    [
        (
            """
            class My(Base):
                def receive_trial_result(self, *args, **kwargs):
                    raise KeyError("no such id")
            """,
            "final result: KeyError: 'no such id'",
        ),
        (
            """
            class My(Base):
                def generate_parameters(self, parameter_id, **kwargs):
                    raise NoMoreTrialError()
            """,
            "parameters of id 0: none came",
        ),
    ],
)
async def test_what_counts_as_a_difference(make: Make, code: str, difference: str) -> None:
    process, _ = make(code=code)
    history = History((RequestParameters(1, (0,)), proposed(0, {"calls": 2}), final(2, 0, 1)), last_number=2)
    assert await process.start(history) == Rebuilt(RebuildWay.IMPORTED, difference)


async def test_an_exception_of_import_data_is_a_failure(make: Make) -> None:
    process, events = make(
        code="""
        class My(Base):
            def import_data(self, data):
                raise ZeroDivisionError("cannot import")
        """
    )
    with pytest.raises(AlgorithmError, match="My raised ZeroDivisionError: cannot import") as caught:
        await process.start(History((RequestParameters(1, (0,)), proposed(0, "other")), last_number=1))
    assert not isinstance(caught.value, AlgorithmDeathError)
    assert "in import_data" in caught.value.traceback
    assert events.empty()


async def test_proposals_by_callback_are_matched_by_their_ids(make: Make) -> None:
    process, events = make(
        code="""
        class My(Base):
            def generate_multiple_parameters(self, parameter_id_list, **kwargs):
                def later():
                    time.sleep(0.2)
                    for parameter_id in reversed(parameter_id_list):
                        kwargs["st_callback"](parameter_id, {"id": parameter_id})
                threading.Thread(target=later).start()
                return []
        """
    )
    history = History(
        (
            RequestParameters(1, (0, 1, 2)),
            ParametersRefused((0, 1, 2), ""),
            proposed(0, {"id": 0}),
            proposed(2, {"id": 2}),
        ),
        last_number=1,
    )
    assert await process.start(history) == Rebuilt(RebuildWay.REPLAYED)
    answers = [event for event in await until_processed(events, 1) if isinstance(event, ParametersProposed)]
    if not answers:
        answers = [await events.get()]
    # Nobody recorded this one, and the tuner still owes it.
    assert [(one.parameter_id, one.parameters) for one in answers] == [(1, {"id": 1})]


async def test_what_a_request_brought_and_nobody_recorded_is_handed_in_once(make: Make) -> None:
    process, events = make(code="class My(Telling): pass")
    history = History(
        (RequestParameters(1, (0, 1, 2)), proposed(0, {"calls": 2})),
        open_calls=(RequestParameters(1, (1, 2)), RequestParameters(2, (3,))),
        last_number=2,
    )
    await process.start(history)
    answers = {}
    while len(answers) < 3:
        if isinstance(event := await events.get(), ParametersProposed):
            assert event.parameter_id not in answers
            answers[event.parameter_id] = event.parameters["calls"]
    assert answers == {1: 3, 2: 4, 3: 5}
    await until_processed(events, 2)
    told = (await ask(process, events, 3, 99))[99]["calls"]
    assert told[1:] == [["ask", number] for number in range(4)]


async def test_users_of_checkpoints_run_and_are_not_trusted_with_the_rebuilding(make: Make) -> None:
    process, events = make(
        code="""
        class My(Telling):
            def load_checkpoint(self):
                self.calls.append(["loaded"])
            def save_checkpoint(self):
                raise OSError("disk full")
            def generate_parameters(self, parameter_id, **kwargs):
                with open(os.path.join(self.get_checkpoint_path(), "state"), "a") as file:
                    file.write("x")
                assert not self.is_created_in_previous_exp(parameter_id)
                return super().generate_parameters(parameter_id)
        """
    )
    history = History((RequestParameters(1, (0,)), proposed(0, {"calls": 2})), last_number=1)
    assert await process.start(history) == Rebuilt(RebuildWay.REPLAYED)
    told = (await ask(process, events, 2, 99))[99]["calls"]
    assert told == [["space", SPACE], ["ask", 0]]


async def test_a_subclass_of_a_built_in_tuner_is_replayed(make: Make) -> None:
    code = """
        from nni.algorithms.hpo.random_tuner import RandomTuner
        class My(RandomTuner):
            pass
        """
    first, events = make(code=code, class_args={"seed": 1})
    await first.start()
    answers = await ask(first, events, 1, 0)
    second, _ = make(code=code, class_args={"seed": 1})
    history = History((RequestParameters(1, (0,)), proposed(0, answers[0])), last_number=1)
    assert await second.start(history) == Rebuilt(RebuildWay.REPLAYED)


REFUSING = """
class My(Telling):
    def update_search_space(self, search_space):
        if search_space == "bad":
            raise ValueError("not this one")
        super().update_search_space(search_space)
"""


async def test_who_waits_for_a_change_gets_its_answer_out_of_the_history(make: Make) -> None:
    process, events = make(code=REFUSING)
    history = History(
        (TellSearchSpace(1, "bad"), TellSearchSpace(2, "good"), TellSearchSpace(3, {"too": 2**70})),
        open_calls=(RequestParameters(4, (0,)), TellSearchSpace(5, "bad"), TellSearchSpace(6, "last")),
        last_number=6,
    )
    await process.start(history)
    await process.change_search_space(6, "last")
    await process.change_search_space(2, "good")
    for number in (1, 5):
        with pytest.raises(AlgorithmError, match="ValueError: not this one"):
            await process.change_search_space(number, "bad")
    with pytest.raises(AlgorithmError, match=r"too: .* does not fit in 64 bits"):
        await process.change_search_space(3, {"too": 2**70})
    await process.change_search_space(7, "new")
    told = (await ask(process, events, 8, 99))[99]["calls"]
    assert [call[1] for call in told if call[0] == "space"] == [SPACE, "good", "last", "new"]


async def test_a_search_space_to_go_on_with_has_to_be_taken(make: Make) -> None:
    process, _ = make(code=REFUSING)
    entries = (RequestParameters(1, (0,)), proposed(0, {"calls": 2}))
    with pytest.raises(AlgorithmError, match="cannot change its search space: ValueError: not this one"):
        await process.start(History((*entries, TellSearchSpace(0, "bad")), last_number=1))
    process, _ = make(code=REFUSING)
    await process.start(History((*entries, TellSearchSpace(0, "good")), last_number=1))


async def test_death_during_the_rebuilding_is_told_as_such(make: Make) -> None:
    process, events = make(
        code="""
        class My(Base):
            def receive_trial_result(self, *args, **kwargs):
                print("the last words", flush=True)
                os._exit(3)
        """
    )
    entries = [final(number, None, number) for number in range(1, 3000)]
    with pytest.raises(AlgorithmDeathError, match="its process exited with exit code 3") as caught:
        await process.start(
            History((RequestParameters(1, (0,)), proposed(0, {"calls": 2}), final(2, 0, 1), *entries))
        )
    assert caught.value.cause == "exit code 3"
    assert "the last words" in caught.value.traceback
    assert events.empty()


async def test_the_last_words_of_a_tuner_reach_a_manager_that_is_still_talking(make: Make) -> None:
    process, events = make(
        code="""
        class My(Base):
            def receive_trial_result(self, *args, **kwargs):
                raise ZeroDivisionError("at once")
            def _on_error(self):
                print("over", flush=True)
        """
    )
    await process.start()
    process.tell(final(1, 0, 1))
    # The event loop does not get to read before it writes to a process that has said its last.
    while "over" not in log_of(process):
        time.sleep(0.01)
    time.sleep(0.5)
    for number in range(2, 100):
        process.tell(final(number, 0, 1))
    failure = await events.get()
    assert isinstance(failure, AlgorithmFailed)
    assert failure.message == "My raised ZeroDivisionError: at once"


async def test_what_comes_right_behind_the_history_is_not_lost(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Connection:
        last_number = 0

        def send(self, request: AlgorithmRequest) -> int:
            self.last_number += 1
            asyncio.get_running_loop().call_soon(answer, request, self.last_number)
            return self.last_number

        async def send_all(self, messages: list[bytes]) -> bool:
            return True

        async def close(self, grace_seconds: float = 0) -> None:
            pass

    def answer(request: AlgorithmRequest, number: int) -> None:
        if request.HasField("initialize"):
            process._take(responses.processed(number))
        elif request.HasField("history_ends"):
            process._take(responses.history_taken(HistoryTaken.WAY_REPLAYED))
            process._take(responses.propose(0, {"a": 1}))

    async def connect(*_: Any) -> Connection:
        return Connection()

    monkeypatch.setattr(algorithm_process, "connect", connect)
    process, events = make()
    await process.start(History((RequestParameters(1, (0,)),), last_number=1))
    assert [type(events.get_nowait()) for _ in range(2)] == [TunerProcessed, ParametersProposed]


async def test_a_history_is_read_only_as_fast_as_it_is_taken(make: Make) -> None:
    process, events = make("TPE")
    read_count = 0
    total = 20_000
    connected = asyncio.Event()

    def entries() -> Iterator[Any]:
        nonlocal read_count
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        for number in range(total):
            read_count += 1
            yield final(number + 1, None, number, {"x": 0.5})

    async def stop() -> None:
        os.kill(pid(), signal.SIGSTOP)
        while psutil.Process(pid()).status() != psutil.STATUS_STOPPED:
            await asyncio.sleep(0.001)
        connected.set()

    def pid() -> int:
        assert process._connection is not None
        return process._connection.pid

    class Entries:
        def __iter__(self) -> Iterator[Any]:
            return entries()

    loop = asyncio.get_running_loop()
    starting = asyncio.create_task(process.start(History(Entries(), last_number=total)))
    await connected.wait()
    count = -1
    while count != read_count:
        count = read_count
        await asyncio.sleep(0.3)
    assert 0 < count < total / 2
    os.kill(pid(), signal.SIGCONT)
    assert await starting == Rebuilt(RebuildWay.TOLD)
    assert read_count == total
    assert (await events.get()).number == total


async def test_closing_during_a_rebuilding_ends_it(make: Make) -> None:
    process, events = make(
        code="""
        class My(Base):
            def receive_trial_result(self, *args, **kwargs):
                print("busy", flush=True)
                time.sleep(1000)
        """
    )
    starting = asyncio.create_task(process.start(History((final(1, 0, 1),), last_number=1)))
    log = process._settings.log_directory / "dispatcher.log"
    while not (log.exists() and "busy" in log.read_text()):
        await asyncio.sleep(0.01)
    await process.close(grace_seconds=0)
    with pytest.raises(AlgorithmError):
        await starting
    assert events.empty()


ASSESSOR = """
from nni.assessor import Assessor
class My(Assessor):
    def assess_trial(self, trial_job_id, trial_history):
        print(f"judge {trial_job_id} {trial_history}\\n", end="", flush=True)
        return max(trial_history) < 3
    def trial_end(self, trial_job_id, success):
        print(f"end {trial_job_id} {success}\\n", end="", flush=True)
"""


async def test_an_assessor_judges_again_and_nobody_heeds_it(make: Make) -> None:
    process, events = make(code=ASSESSOR, kind="assessor")
    history = History(
        (
            # First, so that "bad" is never the best, which would not be stopped.
            TellIntermediateResult("retried", None, 0, 1),
            TellIntermediateResult("bad", None, 0, 3),
            TellIntermediateResult("retried", None, 1, 2),
            TellIntermediateResult("bad", None, 1, 1),
            TellIntermediateResult("retried", None, 0, 0),
            TellIntermediateResult("ended", None, 0, 1),
            TellTrialEnd(7, "ended", 0, TrialStatus.SUCCEEDED),
        )
    )
    assert await process.start(history) == Rebuilt(RebuildWay.REPLAYED)
    assert events.empty()
    process.tell(TellIntermediateResult("retried", None, 1, 1))
    process.tell(TellIntermediateResult("ended", None, 1, 9))
    process.tell(TellIntermediateResult("bad", None, 2, 1))
    verdict = await events.get()
    assert isinstance(verdict, TrialJudgedBad)
    assert verdict.trial_id == "bad"
    lines = [line for line in log_of(process).splitlines() if line.startswith(("judge", "end"))]
    assert lines == [
        "judge retried [1]",
        "judge bad [3]",
        "judge retried [1, 2]",
        "end retried False",
        "judge retried [0]",
        "judge ended [1]",
        "end ended True",
        "judge retried [0, 1]",
        "judge bad [3, 1, 1]",
    ]
