"""Algorithms that die and are made anew: what is told, what is emitted, and when it ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_manager.engine.effects import (
    RequestParameters,
    TellIntermediateResult,
    TellSearchSpace,
    TellTrialEnd,
)
from nni_manager.engine.events import AlgorithmFailed, TunerProcessed, WarningRaised
from nni_manager.engine.statuses import TrialStatus
from nni_manager.experiments.algorithm_keeper import KeptAlgorithm
from nni_manager.experiments.told_calls import ToldCalls
from nni_manager.tuning.interface import (
    NO_HISTORY,
    AlgorithmDeathError,
    AlgorithmDied,
    AlgorithmError,
    Emit,
    History,
    RebuildWay,
    Rebuilt,
)


class Fake:
    """An algorithm whose life a test decides.

    Attributes:
        told: The calls told by `tell`, those of its history included.
        starting: Set once it is being started; `may_start` lets it go on.
        changes: The changes of the search space that wait for `taken`.
    """

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self.told: list[Any] = []
        self.history: History | None = None
        self.starting = asyncio.Event()
        self.may_start: asyncio.Future[Rebuilt | None] = asyncio.get_running_loop().create_future()
        self.changes: list[int] = []
        self.taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed = False

    async def start(self, history: History = NO_HISTORY) -> Rebuilt | None:
        self.history = replace(history, entries=tuple(history.entries))
        self.starting.set()
        rebuilt = await self.may_start
        self.told += history.open_calls
        return rebuilt

    def tell(self, call: Any) -> None:
        self.told.append(call)

    async def change_search_space(self, number: int, search_space: Any) -> None:
        self.changes.append(number)
        await asyncio.shield(self.taken)

    async def close(self, grace_seconds: float = 5.0) -> None:
        self.closed = True
        if not self.may_start.done():
            self.may_start.set_exception(AlgorithmError("closed"))

    def die(self, *, has_worked: bool = False) -> None:
        if not self.taken.done():
            self.taken.set_exception(death())
            self.taken.exception()
        self.emit(AlgorithmDied("tuner", "signal 9", "it was killed", "the last lines", has_worked, at=0.0))


def death() -> AlgorithmDeathError:
    return AlgorithmDeathError(
        "the tuner failed: it was killed", "it was killed", "the last lines", "signal 9"
    )


class Scene:
    """A kept algorithm whose lives are fakes."""

    def __init__(self, kind: str = "tuner") -> None:
        self.lives: list[Fake] = []
        self.events: list[Any] = []
        self.history = NO_HISTORY
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.reads = 0
        self.kept = KeptAlgorithm(self.make, self.read, self.events.append, kind)

    def make(self, emit: Emit) -> Fake:
        self.lives.append(Fake(emit))
        return self.lives[-1]

    async def read(self) -> History:
        self.reads += 1
        await self.may_read.wait()
        return self.history

    async def life(self, number: int) -> Fake:
        """Returns the fake of a life, once it is being started."""
        while len(self.lives) <= number:
            await asyncio.sleep(0)
        await self.lives[number].starting.wait()
        return self.lives[number]

    async def started(self, history: History = NO_HISTORY) -> Fake:
        """Starts the first life."""
        starting = asyncio.create_task(self.kept.start(history))
        first = await self.life(0)
        first.may_start.set_result(None)
        await starting
        return first

    async def settle(self) -> None:
        """Lets everything happen that can."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def warned(self) -> str:
        while not self.events or not isinstance(self.events[-1], WarningRaised):
            await asyncio.sleep(0)
        return str(self.events[-1].message)


def ask(number: int) -> RequestParameters:
    return RequestParameters(number, (number,))


async def test_while_it_lives_everything_is_passed_on() -> None:
    scene = Scene()
    first = await scene.started()
    scene.kept.tell(ask(1))
    first.emit(TunerProcessed(1, 0.0))
    assert (first.told, scene.events) == ([ask(1)], [TunerProcessed(1, 0.0)])
    await scene.kept.close()
    first.emit(TunerProcessed(2, 0.0))
    assert len(scene.events) == 1
    assert first.closed


async def test_calls_reach_the_next_life_once_and_in_order() -> None:
    scene = Scene()
    first = await scene.started()
    scene.kept.tell(ask(1))
    scene.kept.tell(ask(2))
    scene.may_read.clear()
    first.die()
    scene.kept.tell(ask(3))
    await scene.settle()
    scene.kept.tell(ask(4))
    scene.history = History((ask(1),), (ask(2), ask(3)), last_number=3)
    scene.may_read.set()
    second = await scene.life(1)
    # Stored before the history was read, told only now.
    scene.kept.tell(ask(5))
    second.may_start.set_result(Rebuilt(RebuildWay.TOLD))
    assert await scene.warned() == "the tuner died (signal 9) and was restarted; its history was replayed"
    scene.kept.tell(ask(6))
    assert second.history is not None
    assert second.history.entries == (ask(1),)
    assert second.told == [ask(number) for number in range(2, 7)]
    assert first.told == [ask(1), ask(2)]
    first.emit(TunerProcessed(99, 0.0))
    assert [type(event) for event in scene.events] == [WarningRaised]
    await scene.kept.close()


async def test_a_call_in_the_history_that_is_told_after_the_rebuilding_is_left_out() -> None:
    scene = Scene()
    first = await scene.started()
    scene.history = History((ask(1),), (), last_number=2)
    first.die()
    second = await scene.life(1)
    second.may_start.set_result(Rebuilt(RebuildWay.TOLD))
    await scene.warned()
    for number in (1, 2, 3):
        scene.kept.tell(ask(number))
    assert second.told == [ask(3)]
    await scene.kept.close()


async def test_three_deaths_in_a_row_are_a_failure() -> None:
    scene = Scene()
    first = await scene.started()
    first.die()
    second = await scene.life(1)
    second.may_start.set_exception(death())
    third = await scene.life(2)
    assert second.closed
    third.may_start.set_result(Rebuilt(RebuildWay.TOLD))
    await scene.warned()
    third.die()
    failed = scene.events[-1]
    assert isinstance(failed, AlgorithmFailed)
    assert failed.message == "it died 3 times in a row, the last time: it was killed"
    assert failed.traceback == "the last lines"
    scene.kept.tell(ask(9))
    with pytest.raises(AlgorithmError, match="it died 3 times in a row"):
        await scene.kept.change_search_space(10, {})
    await scene.settle()
    assert (len(scene.lives), third.told) == (3, [])
    await scene.kept.close()


async def test_three_deaths_while_it_is_made_anew_are_a_failure() -> None:
    scene = Scene()
    first = await scene.started()
    first.die(has_worked=True)
    for number in (1, 2):
        (await scene.life(number)).may_start.set_exception(death())
    await scene.settle()
    assert isinstance(scene.events[-1], AlgorithmFailed)
    assert "it died 3 times in a row" in scene.events[-1].message
    assert len(scene.lives) == 3
    await scene.kept.close()


async def test_a_call_dealt_with_in_between_begins_the_count_anew() -> None:
    scene = Scene()
    life = await scene.started()
    for number in range(1, 8):
        life.die(has_worked=True)
        life = await scene.life(number)
        life.may_start.set_result(Rebuilt(RebuildWay.TOLD))
        await scene.settle()
    assert [type(event) for event in scene.events] == [WarningRaised] * 7
    await scene.kept.close()


async def test_a_start_is_tried_three_times() -> None:
    scene = Scene()
    starting = asyncio.create_task(scene.kept.start())
    for number in range(3):
        (await scene.life(number)).may_start.set_exception(death())
    with pytest.raises(AlgorithmError, match="the tuner failed: it died 3 times in a row"):
        await starting
    assert scene.events == []


async def test_a_start_that_is_refused_is_not_tried_again() -> None:
    scene = Scene()
    starting = asyncio.create_task(scene.kept.start())
    first = await scene.life(0)
    first.may_start.set_exception(AlgorithmError("no such class"))
    with pytest.raises(AlgorithmError, match="no such class"):
        await starting
    assert first.closed
    assert scene.events == []


@pytest.mark.parametrize(
    ("rebuilt", "warnings"),
    [
        (None, []),
        (Rebuilt(RebuildWay.TOLD), []),
        (Rebuilt(RebuildWay.REPLAYED), []),
        (
            Rebuilt(RebuildWay.IMPORTED, "id 3"),
            [
                "the tuner was made anew; a replay of its history differed (id 3), "
                "so that it imported the results instead"
            ],
        ),
    ],
)
async def test_a_start_out_of_a_history(rebuilt: Rebuilt | None, warnings: list[str]) -> None:
    scene = Scene()
    starting = asyncio.create_task(scene.kept.start(History((ask(1),), last_number=1)))
    (await scene.life(0)).may_start.set_result(rebuilt)
    assert await starting == rebuilt
    assert [event.message for event in scene.events] == warnings
    assert scene.reads == 0


async def test_an_exception_while_it_is_made_anew_is_a_failure() -> None:
    scene = Scene()
    first = await scene.started()
    first.die()
    second = await scene.life(1)
    error = AlgorithmError("the tuner failed: X\nTraceback", "X", "Traceback")
    second.may_start.set_exception(error)
    await scene.settle()
    failed = scene.events[-1]
    assert (failed.algorithm, failed.message, failed.traceback) == ("tuner", "X", "Traceback")
    assert second.closed
    await scene.kept.close()


async def test_a_history_that_cannot_be_read_is_a_failure() -> None:
    scene = Scene()
    first = await scene.started()

    async def broken() -> History:
        raise OSError("the disk is gone")

    scene.kept._read_history = broken
    first.die()
    await scene.settle()
    assert scene.events[-1].message == "it cannot be made anew: the disk is gone"
    assert "OSError" in scene.events[-1].traceback
    await scene.kept.close()


async def test_a_failure_of_the_algorithm_itself_is_passed_on() -> None:
    scene = Scene()
    first = await scene.started()
    failed = AlgorithmFailed("tuner", "it raised", "Traceback", 0.0)
    first.emit(failed)
    await scene.settle()
    assert scene.events == [failed]
    assert len(scene.lives) == 1


async def test_who_waits_for_a_change_gets_the_answer_of_the_next_life() -> None:
    scene = Scene()
    first = await scene.started()
    changing = asyncio.create_task(scene.kept.change_search_space(1, "space"))
    await scene.settle()
    first.die()
    second = await scene.life(1)
    assert not changing.done()
    second.may_start.set_result(Rebuilt(RebuildWay.TOLD))
    await scene.settle()
    assert (first.changes, second.changes) == ([1], [1])
    second.taken.set_exception(AlgorithmError("refused"))
    with pytest.raises(AlgorithmError, match="refused"):
        await changing
    await scene.kept.close()


async def test_a_change_while_it_is_dead_is_told_before_what_follows() -> None:
    scene = Scene()
    first = await scene.started()
    first.die()
    second = await scene.life(1)
    changing = asyncio.create_task(scene.kept.change_search_space(1, "space"))
    await scene.settle()
    scene.kept.tell(ask(2))
    second.may_start.set_result(Rebuilt(RebuildWay.TOLD))
    await scene.settle()
    assert second.told == [TellSearchSpace(1, "space"), ask(2)]
    second.taken.set_result(None)
    await changing
    await scene.kept.close()


@pytest.mark.parametrize("moment", ["reading", "starting", "waiting"])
async def test_closing_ends_everything(moment: str) -> None:
    scene = Scene()
    first = await scene.started()
    changing = asyncio.create_task(scene.kept.change_search_space(1, "space"))
    await scene.settle()
    if moment == "waiting":
        first.taken.set_exception(death())
    else:
        if moment == "reading":
            scene.may_read.clear()
        first.die()
        await scene.settle()
    await scene.kept.close()
    with pytest.raises(AlgorithmError):
        await changing
    assert scene.events == []
    assert all(life.closed for life in scene.lives)


def result(trial_id: str, index: int) -> TellIntermediateResult:
    return TellIntermediateResult(trial_id, 0, index, 0.5)


def end(trial_id: str) -> TellTrialEnd:
    return TellTrialEnd(0, trial_id, 0, TrialStatus.SUCCEEDED)


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["next", "again", "end"])), max_size=30
    ),
    stored=st.integers(0, 30),
    died=st.integers(0, 30),
    back=st.integers(0, 30),
)
def test_an_assessor_gets_each_result_once(
    steps: list[tuple[str, str]], stored: int, died: int, back: int
) -> None:
    """Calls are stored, then told; some are stored when the history is read and told only afterwards."""
    calls: list[Any] = []
    indices: dict[str, int] = {}
    for trial_id, what in steps:
        if indices.get(trial_id) == -1:
            continue
        if what == "end":
            indices[trial_id] = -1
            calls.append(end(trial_id))
        else:
            indices[trial_id] = 0 if what == "again" else indices.get(trial_id, 0)
            calls.append(result(trial_id, indices[trial_id]))
            indices[trial_id] += 1
    died, stored, back = sorted(min(number, len(calls)) for number in (died, stored, back))
    told = ToldCalls("assessor")
    told.begin(NO_HISTORY)
    told.due()
    for call in calls[:died]:
        told.take(call, is_ready=True)
    for call in calls[died:stored]:
        assert told.take(call, is_ready=False) == []
    # The history has more than was told, or exactly that.
    history = list(told.noting(calls[:back]))
    got = [*history, *told.due()]
    for call in calls[stored:]:
        got += told.take(call, is_ready=True)
    ended = {call.trial_id for call in calls[:back] if isinstance(call, TellTrialEnd)}
    # What comes again of a trial that has ended is ignored by whoever gets it.
    assert [call for call in got if call.trial_id not in ended] == [
        call for call in calls if call.trial_id not in ended
    ]


def test_an_assessor_that_goes_on_after_a_restart_of_the_manager() -> None:
    told = ToldCalls("assessor")
    told.begin(NO_HISTORY)
    assert len(list(told.noting((result("a", 0), result("a", 1))))) == 2
    assert told.due() == []
    assert told.take(result("a", 2), is_ready=True) == [result("a", 2)]
    assert told.take(result("a", 0), is_ready=True) == [result("a", 0)]
