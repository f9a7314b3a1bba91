"""What the placing service does with hosts that do what a test says."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from nni_manager.engine.events import (
    TrainingServiceFailed,
    TrialEnded,
    TrialReported,
    TrialStarted,
    TrialWaits,
)
from nni_manager.testing.fake_hosts import FakeMachine, gpus
from nni_manager.training.host import HostReport, HostRules
from nni_manager.training.interface import TrainingEvent, TrainingServiceError, TrialRun
from nni_manager.training.placing import PlacingService, service, waiting
from nni_manager.training.placing.record import FILE_NAME

E = TypeVar("E")

PATIENCE = 60.0
ONE_GPU = HostRules(gpus_per_trial=1)


class Scene:
    """An experiment on machines, with one manager after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machines: dict[str, FakeMachine] = {}
        self.rules: list[HostRules] = []
        self.settings: dict[str, Any] = {"durable": False}
        self.events: list[TrainingEvent] = []
        self.warnings: list[str] = []
        self.arrived = asyncio.Event()
        self.service: PlacingService | None = None

    def add(self, name: str, rules: HostRules, report: HostReport | Exception | None = None) -> FakeMachine:
        machine = FakeMachine(name, gpus() if report is None else report, happened=self.arrived.set)
        self.machines[name] = machine
        self.rules.append(rules)
        return machine

    async def start(self, **settings: Any) -> PlacingService:
        """Starts a manager; one that was there before has crashed, so nothing more is heard of it."""
        self.settings.update(settings)
        self.events = []
        makers = [machine.make for machine in self.machines.values()]
        self.service = PlacingService(
            hosts=list(zip(makers, self.rules, strict=True)),
            experiment_directory=self.folder,
            emit=self._emit,
            warn=self.warnings.append,
            **self.settings,
        )
        await self.service.start()
        return self.service

    def submit(self, *names: str, attempt: int = 0) -> None:
        assert self.service is not None
        for name in names:
            self.service.submit(TrialRun(name, attempt, 0, 0, None, {"A": "b"}))

    def of(self, kind: type[E], trial_id: str | None = None) -> list[E]:
        return [
            event
            for event in self.events
            if isinstance(event, kind) and trial_id in (None, getattr(event, "trial_id", None))
        ]

    def reason(self, trial_id: str) -> str:
        """Returns why a trial waits, as told last."""
        return self.of(TrialWaits, trial_id)[-1].reason

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self.arrived.clear()
            await asyncio.wait_for(self.arrived.wait(), PATIENCE)

    def record(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / FILE_NAME).read_text().splitlines()]

    def _emit(self, event: TrainingEvent) -> None:
        self.events.append(event)
        self.arrived.set()


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(waiting, "TELL_SECONDS", 0.0)
    monkeypatch.setattr(service, "NOTE_AGAIN_SECONDS", 0.0)
    made = Scene(tmp_path)
    yield made
    if made.service is not None:
        await made.service.close()


async def turn() -> None:
    """Lets what is due happen: timers of no delay, and what they cause."""
    for _ in range(5):
        await asyncio.sleep(0)


# Where trials go (behaviour.md P2)


async def test_gpu_trials_go_only_where_gpus_are_and_the_list_is_a_preference(scene: Scene) -> None:
    here = scene.add("this machine", ONE_GPU)
    remote = scene.add("gpu-a", HostRules(gpus_per_trial=1, service=1), gpus(0, 0))
    await scene.start()
    scene.submit("t0", "t1", "t2")
    assert here.launched == []
    assert [remote.visible(name) for name in ("t0", "t1")] == ["GPU-0", "GPU-1"]
    assert (
        scene.reason("t2") == "needs 1 GPU; this machine has no GPU, gpu-a has 0 free of 2 (2 used by trials)"
    )
    assert scene.warnings == ["this machine has no GPU; no trial is placed there"]


async def test_limits_hold_per_service(scene: Scene) -> None:
    here = scene.add("this machine", HostRules())
    first = scene.add("a", HostRules(service=1))
    second = scene.add("b", HostRules(service=1))
    await scene.start(service_limits={0: 1, 1: 3})
    scene.submit(*(f"t{number}" for number in range(5)))
    assert [len(machine.runs) for machine in (here, first, second)] == [1, 2, 1]
    assert scene.reason("t4") == (
        "this machine has 1 trial, its limit (trial_concurrency), "
        "a and b have 3 trials together, their limit (trial_concurrency)"
    )
    second.end("t2")
    assert second.launched[-1] == ("t4", 0)


@pytest.mark.parametrize(("count", "expected"), [(None, None), (0, "")])
async def test_visible_gpus_of_trials_without_gpus(
    scene: Scene, count: int | None, expected: str | None
) -> None:
    machine = scene.add("a", HostRules(gpus_per_trial=count))
    await scene.start()
    scene.submit("t0")
    assert machine.visible("t0") == expected
    assert machine.runs["t0", 0].environment["A"] == "b"
    assert machine.asked == 0


async def test_a_trial_of_four_of_eight_gpus(scene: Scene) -> None:
    machine = scene.add("a", HostRules(gpus_per_trial=4), gpus(*[0] * 8))
    await scene.start()
    scene.submit("t0", "t1", "t2")
    assert machine.visible("t0") == "GPU-0,GPU-1,GPU-2,GPU-3"
    assert machine.visible("t1") == "GPU-4,GPU-5,GPU-6,GPU-7"
    assert scene.reason("t2") == "needs 4 GPUs; a has 0 free of 8 (8 used by trials)"


async def test_three_trials_on_each_of_two_gpus(scene: Scene) -> None:
    machine = scene.add("this machine", HostRules(gpus_per_trial=1, trials_per_gpu=3), gpus(0, 0))
    await scene.start()
    names = [f"t{number}" for number in range(8)]
    scene.submit(*names)
    assert Counter(machine.visible(name) for name in names[:6]) == {"GPU-0": 3, "GPU-1": 3}
    reason = "needs 1 GPU; this machine has 0 free of 2 (2 used by 3 trials each)"
    assert [scene.reason(name) for name in names[6:]] == [reason, reason]


async def test_gpu_indices_and_shares_of_each_machine(scene: Scene) -> None:
    first = scene.add("a", HostRules(1, 3, gpu_indices=(1, 3)), gpus(0, 0, 0, 0))
    second = scene.add("b", HostRules(1, 3, gpu_indices=(0,)), gpus(0, 0, 0, 0))
    await scene.start()
    scene.submit(*(f"t{number}" for number in range(12)))
    assert Counter(first.visible(*attempt) for attempt in first.runs) == {"GPU-1": 3, "GPU-3": 3}
    assert Counter(second.visible(*attempt) for attempt in second.runs) == {"GPU-0": 3}
    assert scene.reason("t11") == (
        "needs 1 GPU; a has 0 free of 4 (2 used by 3 trials each, 2 not in gpu_indices), "
        "b has 0 free of 4 (1 used by 3 trials each, 3 not in gpu_indices)"
    )


async def test_the_start_is_told_with_the_machine_and_the_gpus(scene: Scene) -> None:
    scene.add("a", HostRules(gpus_per_trial=2), gpus(0, 0)).happened = lambda: None
    scene.add("b", HostRules(gpus_per_trial=2), gpus())
    await scene.start()
    scene.submit("t0")
    scene.machines["a"].begin("t0")
    (started,) = scene.of(TrialStarted)
    assert (started.host, started.gpus) == ("a", ("GPU-0", "GPU-1"))


# Reservations end whatever happens


@pytest.mark.parametrize("durable", [False, True])
async def test_a_gpu_is_free_again_whatever_became_of_its_trial(scene: Scene, durable: bool) -> None:
    """One ends, one is never started, one is killed while it waits, one is killed while it runs."""
    machine = scene.add("a", ONE_GPU, gpus(0))
    made = await scene.start(durable=durable)
    scene.submit("ends", "not started", "killed waiting", "killed running", "last")
    await scene.until(lambda: ("ends", 0) in machine.runs)
    machine.end("ends")
    await scene.until(lambda: ("not started", 0) in machine.runs)
    made.cancel("killed waiting", 0)
    assert scene.of(TrialEnded, "killed waiting")[0].problem == "it was stopped before it started"
    machine.end("not started", exit_code=None)
    await scene.until(lambda: ("killed running", 0) in machine.runs)
    made.cancel("killed running", 0)
    assert machine.canceled == [("killed running", 0)]
    assert ("last", 0) not in machine.runs, "the GPU is that of the trial until it has ended"
    machine.end("killed running", exit_code=None, signal=9)
    await scene.until(lambda: ("last", 0) in machine.runs)
    assert machine.visible("last") == "GPU-0"
    assert len(scene.of(TrialEnded)) == 4


async def test_a_host_that_does_not_take_a_trial_ends_it(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    machine = scene.add("a", ONE_GPU, gpus(0))
    await scene.start()
    machine.refuses = RuntimeError("odd")
    scene.submit("t0")
    machine.refuses = None
    scene.submit("t1")
    assert scene.of(TrialEnded)[0].problem == "a does not take it: RuntimeError('odd')"
    assert machine.launched == [("t1", 0)]
    assert "a does not take trial t0" in caplog.text


async def test_the_same_attempt_is_submitted_once(scene: Scene) -> None:
    machine = scene.add("a", HostRules(trial_concurrency=1))
    await scene.start()
    scene.submit("t0", "t0", "t1", "t1")
    assert machine.launched == [("t0", 0)]
    machine.end("t0")
    machine.end("t1")
    assert machine.launched == [("t0", 0), ("t1", 0)]
    assert len(scene.of(TrialEnded)) == 2


async def test_results_and_acknowledgements_are_passed_on(scene: Scene) -> None:
    scene.add("a", HostRules(trial_concurrency=1))
    second = scene.add("b", HostRules(trial_concurrency=1))
    made = await scene.start()
    scene.submit("t0", "t1")
    second.tell("t1", end_offset=7)
    made.acknowledge("t1", 0, 7)
    made.acknowledge("never", 0, 7)
    made.cancel("never", 0)
    assert second.acknowledged == {("t1", 0): 7}
    assert [event.end_offset for event in scene.of(TrialReported)] == [7]
    second.end("t1")
    second.tell("t1")
    assert len(scene.of(TrialReported)) == 1, "nothing follows the end"


async def test_output_directories_are_those_of_the_hosts(scene: Scene) -> None:
    machine = scene.add("a", HostRules(trial_concurrency=1))
    made = await scene.start()
    scene.submit("t0", "t1")
    assert made.output_directory("t0") == "/on/a/t0"
    assert made.output_directory("t1") == str(scene.folder / "trials" / "t1")
    machine.end("t0")
    assert made.output_directory("t0") == "/on/a/t0"


# Why trials wait


async def test_one_machine_without_gpus_and_one_that_is_busy(scene: Scene) -> None:
    scene.add("a", ONE_GPU)
    scene.add("b", ONE_GPU, gpus(2, 1))
    await scene.start()
    scene.submit("t0")
    assert scene.reason("t0") == "needs 1 GPU; a has no GPU, b has 0 free of 2 (2 used by others)"


async def test_a_changed_reason_is_told_and_the_same_is_not(scene: Scene) -> None:
    machine = scene.add("a", HostRules(gpus_per_trial=2), gpus(0, 0, 1))
    other = scene.add("b", HostRules(gpus_per_trial=2), gpus(1, 1))
    await scene.start()
    scene.submit("t0", "t1")
    assert scene.reason("t1") == (
        "needs 2 GPUs; a has 0 free of 3 (1 used by others, 2 by trials), "
        "b has 0 free of 2 (2 used by others)"
    )
    other.cut(time.time(), "no answer in 10 s")
    await scene.until(lambda: len(scene.of(TrialWaits, "t1")) == 2)
    assert re.search(r", b unreachable since \d\d:\d\d \(no answer in 10 s\)$", scene.reason("t1"))
    machine.begin("t0")
    await turn()
    assert len(scene.of(TrialWaits, "t1")) == 2
    machine.end("t0")
    assert machine.visible("t1") == "GPU-0,GPU-1"


async def test_reasons_are_told_to_many_in_turns(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reason that keeps changing is told to all, a few at a time."""
    monkeypatch.setattr(waiting, "MOST_TOLD", 3)
    machine = scene.add("a", ONE_GPU, gpus(1, 1))
    await scene.start()
    names = [f"t{number}" for number in range(10)]
    scene.submit(*names)
    for number in range(8):
        machine.cut(time.time(), f"reason {number}")
        told = len(scene.events)
        await scene.until(partial(lambda told: len(scene.events) >= told + 3, told))
    await scene.until(lambda: all("reason 7" in scene.reason(name) for name in names))
    assert {len(scene.of(TrialWaits, name)) > 2 for name in names} == {True}


# Hosts that come and go


async def test_a_machine_that_is_away_for_long_loses_no_trial_and_none_runs_twice(scene: Scene) -> None:
    """Only what has not started goes elsewhere; what runs there is waited for."""
    first = scene.add("a", HostRules(trial_concurrency=2))
    second = scene.add("b", HostRules(trial_concurrency=1, service=1))
    await scene.start()
    scene.submit("t0")
    first.begin("t0")
    first.cut(time.time())
    first.cut(time.time())
    scene.submit("t1", "t2")
    assert second.launched == [("t1", 0)]
    first.join()
    assert first.launched == [("t0", 0), ("t2", 0)]
    first.end("t0")
    assert len(scene.of(TrialEnded, "t0")) == 1
    assert [event.trial_id for event in scene.of(TrialStarted)] == ["t0"]


async def test_since_when_a_machine_is_away_does_not_move(scene: Scene) -> None:
    machine = scene.add("a", HostRules())
    await scene.start()
    machine.cut(86_400.0 * 365, "no answer")
    machine.cut(86_400.0 * 800, "refused")
    scene.submit("t0")
    assert scene.reason("t0").startswith("a unreachable since 1971-01-0")
    assert scene.reason("t0").endswith("(refused)")


@pytest.mark.parametrize("durable", [False, True])
async def test_a_host_that_fails_leaves_the_others_running(scene: Scene, durable: bool) -> None:
    first = scene.add("a", HostRules(trial_concurrency=2))
    second = scene.add("b", HostRules(trial_concurrency=1, service=1))
    await scene.start(durable=durable)
    scene.submit("t0", "t1", "t2", "t3")
    await scene.until(lambda: len(first.runs) + len(second.runs) == 3)
    first.fail("the courier ended 5 times in a row")
    first.fail("again")
    problem = "a cannot be used: the courier ended 5 times in a row"
    assert [(event.trial_id, event.problem) for event in scene.of(TrialEnded)] == [
        ("t0", problem),
        ("t1", problem),
    ]
    first.end("t0")
    assert len(scene.of(TrialEnded)) == 2, "nothing of it follows its end"
    second.end("t2")
    await scene.until(lambda: ("t3", 0) in second.runs)
    assert scene.of(TrainingServiceFailed) == []
    assert scene.warnings == [
        "a cannot be used any more, trials go on elsewhere: the courier ended 5 times in a row"
    ]


async def test_what_was_about_to_be_launched_on_a_host_that_fails_goes_elsewhere(scene: Scene) -> None:
    first = scene.add("a", HostRules())
    second = scene.add("b", HostRules(service=1))
    await scene.start(durable=True)
    scene.submit("t0")
    await asyncio.sleep(0)  # its place is being written
    first.fail("gone")
    await scene.until(lambda: second.launched)
    assert (first.launched, second.launched) == ([], [("t0", 0)])
    assert scene.of(TrialEnded) == []


async def test_no_host_left(scene: Scene) -> None:
    """The last one is told as the failure of the place; what ran may be found by a resume."""
    first = scene.add("a", HostRules())
    second = scene.add("b", HostRules())
    await scene.start()
    scene.submit("t0", "t1")
    first.fail("x")
    second.fail("y")
    second.end("t1")
    (failure,) = scene.of(TrainingServiceFailed)
    assert failure.message == ("no machine is left that could run trials; a not used (x), b not used (y)")
    assert [event.trial_id for event in scene.of(TrialEnded)] == ["t0"]
    assert scene.events[-1] is failure


async def test_no_host_left_that_has_what_trials_need(scene: Scene) -> None:
    scene.add("a", ONE_GPU)
    machine = scene.add("b", ONE_GPU, gpus(0))
    await scene.start()
    scene.submit("t0")
    machine.fail("x")
    (failure,) = scene.of(TrainingServiceFailed)
    assert failure.message == "a trial needs 1 GPU; a has no GPU, b not used (x)"
    assert scene.of(TrialEnded) == []


async def test_a_driver_that_hangs_makes_no_machine_useless_for_good(scene: Scene) -> None:
    first = scene.add("a", ONE_GPU, gpus(0))
    second = scene.add("b", ONE_GPU, gpus(0))
    await scene.start(report_seconds=0.0)
    first.report = TrainingServiceError("nvidia-smi hangs")
    scene.submit("t0", "t1")
    await scene.until(lambda: second.runs and "nvidia-smi hangs" in scene.reason("t1"))
    second.fail("x")
    assert scene.of(TrainingServiceFailed) == []
    assert [event.trial_id for event in scene.of(TrialEnded)] == ["t0"]
    first.report = gpus(0)
    await scene.until(lambda: ("t1", 0) in first.runs)


async def test_the_failure_of_the_only_host_is_told_in_its_words(scene: Scene) -> None:
    machine = scene.add("this machine", HostRules())
    await scene.start()
    scene.submit("t0")
    machine.begin("t0")
    machine.fail("the courier cannot be started")
    assert scene.of(TrialStarted)[0].host == ""
    assert scene.of(TrainingServiceFailed)[0].message == "the courier cannot be started"


# Reports of GPUs


async def test_a_gpu_that_others_let_go_is_used(scene: Scene) -> None:
    machine = scene.add("a", ONE_GPU, gpus(1))
    await scene.start(report_seconds=0.001)
    scene.submit("t0")
    machine.report = gpus(0)
    await scene.until(lambda: machine.runs)


async def test_gpus_are_listed_only_while_that_matters(scene: Scene) -> None:
    """Not before the first trial nor after the last; what is known then is too old to place a trial by."""
    machine = scene.add("a", ONE_GPU, gpus(0))
    await scene.start(report_seconds=0.001)
    assert machine.asked == 1
    await asyncio.sleep(0.005)
    await turn()
    assert machine.asked == 1
    machine.report = gpus(0, 0)
    scene.submit("t0")
    assert scene.reason("t0") == "needs 1 GPU; a is being asked for its GPUs"
    await scene.until(lambda: machine.runs)
    asked = machine.asked
    await scene.until(lambda: machine.asked > asked + 2)
    machine.end("t0")
    await turn()
    asked = machine.asked
    await asyncio.sleep(0.005)
    await turn()
    assert machine.asked == asked


async def test_a_machine_that_is_back_is_asked_at_once_and_one_that_is_away_is_not(scene: Scene) -> None:
    machine = scene.add("a", ONE_GPU, gpus(1))
    await scene.start(report_seconds=1000.0)
    scene.submit("t0")
    machine.cut(time.time())
    machine.report = gpus(0)
    await turn()
    assert machine.asked == 1
    machine.join()
    await scene.until(lambda: machine.runs)
    assert machine.asked == 2


async def test_a_report_that_goes_wrong_is_a_reason(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    machine = scene.add("a", ONE_GPU, gpus(1))
    await scene.start(report_seconds=0.0)
    scene.submit("t0")
    machine.report = TrainingServiceError("nvidia-smi did not answer in 10 s")
    await scene.until(lambda: "(nvidia-smi did not answer in 10 s)" in scene.reason("t0"))
    machine.report = RuntimeError("odd")
    await scene.until(lambda: "RuntimeError('odd')" in scene.reason("t0"))
    machine.report = gpus(0)
    await scene.until(lambda: machine.runs)
    warned = [record for record in caplog.records if "did not answer" in record.getMessage()]
    assert len(warned) == 1


# The start


async def test_all_problems_are_told_together(scene: Scene) -> None:
    scene.add("a", HostRules()).start_problem = "a:22: the key /x is refused"
    scene.add("b", HostRules())
    scene.add("c", HostRules()).start_problem = "no answer in 10 s"
    with pytest.raises(TrainingServiceError) as caught:
        await scene.start()
    assert str(caught.value) == (
        "2 of 3 machines cannot be used:\n- a:22: the key /x is refused\n- c: no answer in 10 s\n"
        "allow_partial: true goes on with the others"
    )
    assert [machine.closed for machine in scene.machines.values()] == [1, 1, 1]
    assert scene.service is not None
    await scene.service.close()
    assert [machine.closed for machine in scene.machines.values()] == [1, 1, 1]


async def test_good_machines_are_used_where_that_is_allowed(scene: Scene) -> None:
    good = scene.add("a", HostRules())
    scene.add("b", HostRules(service=1)).start_problem = "no answer in 10 s"
    made = await scene.start(optional_services={1})
    assert scene.warnings == ["b: no answer in 10 s; the trials run without it"]
    scene.submit("t0", "t1")
    assert len(good.runs) == 2
    made.release()
    assert [machine.released for machine in scene.machines.values()] == [1, 0]
    await made.close()
    assert [machine.closed for machine in scene.machines.values()] == [1, 1]


async def test_a_problem_of_a_service_that_may_not_be_partial(scene: Scene) -> None:
    scene.add("a", HostRules()).start_problem = "x"
    scene.add("b", HostRules(service=1)).start_problem = "y"
    scene.add("c", HostRules(service=1))
    with pytest.raises(TrainingServiceError, match="2 of 3 machines"):
        await scene.start(optional_services={1})


async def test_no_machine_can_be_started(scene: Scene) -> None:
    scene.add("a", HostRules()).start_problem = "x"
    scene.add("b", HostRules()).start_problem = "y"
    with pytest.raises(TrainingServiceError) as caught:
        await scene.start(optional_services={0})
    assert str(caught.value) == "2 of 2 machines cannot be used:\n- a: x\n- b: y"


async def test_the_problem_of_the_only_machine(scene: Scene) -> None:
    scene.add("this machine", HostRules()).start_problem = "the courier cannot be started"
    with pytest.raises(TrainingServiceError, match=r"^the courier cannot be started$"):
        await scene.start()


async def test_a_request_that_can_never_be_met_is_refused(scene: Scene) -> None:
    scene.add("this machine", HostRules(gpus_per_trial=2))
    scene.add("gpu-a", HostRules(gpus_per_trial=2), gpus(3))
    scene.add("gpu-b", HostRules(gpus_per_trial=2), TrainingServiceError("nvidia-smi was not found"))
    with pytest.raises(TrainingServiceError) as caught:
        await scene.start()
    assert str(caught.value) == (
        "trial_gpu_number: a trial needs 2 GPUs; this machine has no GPU, gpu-a has 1, "
        "gpu-b: its GPUs cannot be listed (nvidia-smi was not found)"
    )


async def test_gpus_of_others_are_no_reason_to_refuse(scene: Scene) -> None:
    scene.add("a", HostRules(gpus_per_trial=2), gpus(1, 1))
    await scene.start()
    scene.submit("t0")
    assert scene.reason("t0") == "needs 2 GPUs; a has 0 free of 2 (2 used by others)"


async def test_bad_gpu_indices_are_refused_with_the_gpus_found(scene: Scene) -> None:
    scene.add("gpu-a", HostRules(gpus_per_trial=1, gpu_indices=(1, 9)), gpus(0, 0, 0, 0))
    scene.add("gpu-b", ONE_GPU, gpus(0))
    with pytest.raises(TrainingServiceError) as caught:
        await scene.start()
    assert str(caught.value) == "gpu_indices: 9 is not among the GPUs found on gpu-a: 0 to 3"


async def test_shares_of_gpus_that_trials_do_not_use_are_refused(scene: Scene) -> None:
    scene.add("a", HostRules(trials_per_gpu=2), gpus(0))
    with pytest.raises(TrainingServiceError, match="max_trial_number_per_gpu: 2 on a has no meaning"):
        await scene.start()


async def test_an_unexpected_problem_is_told_and_logged(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scene.add("a", HostRules()).start_problem = "x"
    monkeypatch.setattr("nni_manager.testing.fake_hosts.TrainingServiceError", ZeroDivisionError)
    with pytest.raises(TrainingServiceError, match="it cannot be started: ZeroDivisionError"):
        await scene.start()
    assert "a cannot be started" in caplog.text


async def test_two_machines_of_one_name(scene: Scene) -> None:
    machine = scene.add("a", HostRules())
    scene.machines["other"] = machine
    scene.rules.append(HostRules())
    with pytest.raises(TrainingServiceError, match="two machines are called a"):
        await scene.start()


# Processes that wait for more trials


@pytest.mark.parametrize("durable", [False, True])
async def test_processes_are_let_go_when_no_trial_waits_here_either(scene: Scene, durable: bool) -> None:
    machine = scene.add("a", HostRules(trial_concurrency=1))
    made = await scene.start(durable=durable)
    scene.submit("t0", "t1")
    made.release()
    await scene.until(lambda: ("t0", 0) in machine.runs)
    assert machine.released == 0
    machine.end("t0")
    await scene.until(lambda: ("t1", 0) in machine.runs)
    assert machine.released == 1
    machine.end("t1")
    assert machine.released == 1
    made.release()
    assert machine.released == 2


async def test_a_trial_that_is_submitted_takes_a_release_back(scene: Scene) -> None:
    machine = scene.add("a", HostRules(trial_concurrency=1))
    made = await scene.start()
    scene.submit("t0", "t1")
    made.release()
    scene.submit("t2")
    for name in ("t0", "t1", "t2"):
        machine.end(name)
    assert machine.released == 0


# Another manager


async def test_trials_are_found_where_they_were_put(scene: Scene) -> None:
    first = scene.add("a", ONE_GPU, gpus(0, 0))
    second = scene.add("b", HostRules(gpus_per_trial=1, service=1), gpus(0))
    await scene.start()
    scene.submit("t0", "t1", "t2", "t3")
    first.end("t0")
    assert first.launched == [("t0", 0), ("t1", 0), ("t3", 0)]
    made = await scene.start()
    scene.submit("new")
    made.adopt("t1", 0, 5)
    scene.submit("t2")
    assert scene.reason("new") == (
        "needs 1 GPU; a has 0 free of 2 (2 used by trials), b has 0 free of 1 (1 used by trials)"
    )
    await scene.until(lambda: len(scene.of(TrialStarted)) == 2)
    assert (first.adopted, second.adopted) == ([("t1", 0)], [("t2", 0)])
    assert {(event.trial_id, event.host, event.gpus) for event in scene.of(TrialStarted)} == {
        ("t1", "a", ("GPU-1",)),
        ("t2", "b", ("GPU-0",)),
    }
    made.adopt("t3", 0, 0)
    first.end("t3")
    assert first.visible("new") == "GPU-0"
    assert made.output_directory("t0") == "/on/a/t0"


@pytest.mark.parametrize("again", ["submit", "adopt"])
async def test_an_end_that_the_engine_did_not_store_is_told_again(scene: Scene, again: str) -> None:
    """It needs no GPU for that."""
    machine = scene.add("a", ONE_GPU, gpus(0))
    await scene.start()
    scene.submit("t0", "t1")
    machine.end("t0", exit_code=3)
    made = await scene.start()
    if again == "submit":
        scene.submit("t0")
    else:
        made.adopt("t0", 0, 0)
    await scene.until(lambda: scene.of(TrialEnded))
    assert scene.of(TrialEnded)[0].exit_code == 3
    assert machine.launched == [("t0", 0), ("t1", 0)]


async def test_what_was_never_placed_never_started(scene: Scene) -> None:
    scene.add("a", HostRules())
    scene.add("b", HostRules())
    made = await scene.start()
    made.adopt("t0", 0, 0)
    assert "never started" in scene.of(TrialEnded)[0].problem


async def test_what_is_placed_and_not_launched_is_launched_there(scene: Scene) -> None:
    """The crash came between the two."""
    first = scene.add("a", ONE_GPU, gpus(0))
    second = scene.add("b", ONE_GPU, gpus(0))
    line = {"trial": "t0", "attempt": 0, "host": "b", "gpus": [[0, "GPU-0"]]}
    (scene.folder / FILE_NAME).write_text(json.dumps(line) + "\n")
    await scene.start()
    scene.submit("t1", "t2", "t0")
    assert (first.launched, second.launched) == ([("t1", 0)], [("t0", 0)])
    assert second.visible("t0") == "GPU-0"
    assert scene.of(TrialWaits, "t2")


async def test_a_place_that_was_not_written_whole_does_not_count(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    machine = scene.add("a", HostRules())
    scene.add("b", HostRules())
    (scene.folder / FILE_NAME).write_bytes(b'{"trial": "t0", "attempt": 0, "host": "b", "gp')
    await scene.start()
    scene.submit("t0")
    assert machine.launched == [("t0", 0)]
    assert "line 1 is not whole" in caplog.text
    made = await scene.start()
    made.adopt("t0", 0, 0)
    await scene.until(lambda: scene.of(TrialStarted))


async def test_a_machine_that_was_taken_from_the_configuration(scene: Scene) -> None:
    scene.add("a", HostRules(trial_concurrency=1))
    second = scene.add("b", HostRules(trial_concurrency=1))
    await scene.start()
    scene.submit("t0", "t1")
    del scene.machines["a"]
    scene.rules.pop()
    second.runs.clear()
    made = await scene.start()
    made.adopt("t0", 0, 0)
    assert scene.of(TrialEnded)[0].problem == "it ran on a, which is not among the machines any more"
    assert made.output_directory("t0") == str(scene.folder / "trials" / "t0")


async def test_a_trial_waiting_for_a_machine_that_was_taken_away_goes_elsewhere(scene: Scene) -> None:
    machine = scene.add("b", HostRules())
    line = {"trial": "t0", "attempt": 0, "host": "a", "gpus": []}
    (scene.folder / FILE_NAME).write_text(json.dumps(line) + "\n")
    await scene.start()
    scene.submit("t0")
    assert machine.launched == [("t0", 0)]


async def test_trials_on_a_machine_that_is_not_used_now(scene: Scene) -> None:
    first = scene.add("a", HostRules(trial_concurrency=2))
    second = scene.add("b", HostRules(trial_concurrency=1, service=1))
    await scene.start()
    scene.submit("t0", "t1")
    first.start_problem = "no answer in 10 s"
    made = await scene.start(optional_services={0})
    made.adopt("t0", 0, 0)
    scene.submit("t1")
    problem = "a, where it ran, is not used: no answer in 10 s"
    assert [event.problem for event in scene.of(TrialEnded)] == [problem, problem]
    scene.submit("t0", attempt=1)
    assert second.launched == [("t0", 1)]


async def test_what_nobody_asks_for_any_more_is_stopped(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end was told when its host failed, which is back for the next manager. No GPU is given twice."""
    first = scene.add("a", ONE_GPU, gpus(0))
    second = scene.add("b", HostRules(gpus_per_trial=1, service=1), gpus(0))
    await scene.start()
    scene.submit("t0", "t1")
    first.fail("x")
    second.end("t1")
    scene.submit("t0", attempt=1)
    assert second.launched == [("t1", 0), ("t0", 1)]
    made = await scene.start()
    made.adopt("t0", 1, 0)
    assert (first.adopted, first.canceled) == ([("t0", 0)], [("t0", 0)])
    scene.submit("t2")
    first.tell("t0", end_offset=9)
    assert first.acknowledged == {("t0", 0): 9}
    assert ("t2", 0) not in first.runs
    first.end("t0", exit_code=None, signal=2)
    assert first.visible("t2") == "GPU-0"
    assert scene.of(TrialEnded) == []
    assert scene.of(TrialReported) == []


async def test_trials_that_the_engine_does_not_know_are_stopped_after_a_while(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "CLAIM_SECONDS", 0.0)
    first = scene.add("a", HostRules())
    await scene.start()
    scene.submit("t0", "t1")
    made = await scene.start()
    made.adopt("t0", 0, 0)
    await scene.until(lambda: first.canceled)
    assert first.canceled == [("t1", 0)]


async def test_what_waits_at_the_close_is_not_launched(scene: Scene) -> None:
    machine = scene.add("a", HostRules(trial_concurrency=1))
    made = await scene.start(durable=True)
    scene.submit("t0", "t1")
    await made.close()
    machine.emit(TrialEnded("t0", 0, 0.0))
    assert machine.launched == []
    assert scene.of(TrialEnded) == []


# The record


async def test_a_place_is_on_record_before_the_launch(scene: Scene) -> None:
    scene.add("a", ONE_GPU, gpus(0))
    machine = scene.machines["a"]
    seen: list[list[dict[str, Any]]] = []
    machine.happened = lambda: seen.append(scene.record()) if machine.runs else None
    await scene.start()
    scene.submit("t0")
    machine.happened = scene.arrived.set
    place = {"trial": "t0", "attempt": 0, "host": "a", "gpus": [[0, "GPU-0"]]}
    assert seen[-1] == [place]
    machine.end("t0")
    assert scene.record() == [place, {"trial": "t0", "attempt": 0, "ended": True}]
    assert (scene.folder / FILE_NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("durable", [False, True])
async def test_a_full_disk_lets_trials_wait(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    machine = scene.add("a", ONE_GPU, gpus(0))
    await scene.start(durable=durable)
    full = True
    write = os.write

    def fails(descriptor: int, data: bytes) -> int:
        if full and b'"trial"' in data:
            raise OSError(28, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", fails)
    scene.submit("t0", "t1")
    await scene.until(lambda: scene.of(TrialWaits, "t0"))
    assert scene.reason("t0") == f"{scene.folder / FILE_NAME} cannot be written: No space left on device"
    await turn()
    assert machine.launched == []
    full = False
    await scene.until(lambda: machine.launched)
    machine.end("t0")
    await scene.until(lambda: ("t1", 0) in machine.runs)
    assert machine.launched == [("t0", 0), ("t1", 0)]


async def test_a_disk_that_fills_while_a_trial_runs_does_not_hide_its_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine = scene.add("a", HostRules())
    await scene.start()
    scene.submit("t0")

    def fails(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fails)
        machine.end("t0")
    assert scene.of(TrialEnded)
    assert "the end of trial t0 is not noted" in caplog.text


async def test_a_folder_that_cannot_be_written(scene: Scene) -> None:
    scene.add("a", HostRules())
    scene.folder = scene.folder / "missing"
    with pytest.raises(TrainingServiceError, match=r"where trials run cannot be noted: .*missing"):
        await scene.start()


async def test_stopping_what_is_about_to_be_launched(scene: Scene) -> None:
    machine = scene.add("a", ONE_GPU, gpus(0))
    made = await scene.start(durable=True)
    scene.submit("t0", "t1")
    await asyncio.sleep(0)
    made.cancel("t0", 0)
    await scene.until(lambda: machine.launched)
    assert machine.launched == [("t1", 0)]
    assert scene.of(TrialEnded)[0].problem == "it was stopped before it started"
