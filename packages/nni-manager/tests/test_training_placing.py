"""Where the placing service puts trials, and what it tells of those that wait."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from random import Random

import pytest
from nni_manager.engine.events import (
    TrialEnded,
    TrialReported,
    TrialStarted,
    TrialWaits,
)
from nni_manager.testing.fake_hosts import gpus
from nni_manager.testing.placing_scene import ONE_GPU, Scene, placing_scene, turn
from nni_manager.training.host import HostRules
from nni_manager.training.placement import HostState
from nni_manager.training.placing import waiting


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    async with placing_scene(tmp_path, monkeypatch) as made:
        yield made


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


async def test_two_hundred_trials_that_end_in_every_way(scene: Scene) -> None:
    """Two of four GPUs each: two run all the time, on different GPUs, and each of the others has a reason."""
    machine = scene.add("a", HostRules(gpus_per_trial=2), gpus(0, 0, 0, 0))
    made = await scene.start()
    names = [f"t{number}" for number in range(200)]
    scene.submit(*names)
    dice = Random(1)
    canceled: list[str] = []
    while machine.runs:
        gone = {attempt[0] for attempt in machine.launched} | set(canceled)
        waiting_now = [name for name in names if name not in gone]
        assert len(machine.runs) == 2 or not waiting_now
        used = [gpu for attempt in machine.runs for gpu in (machine.visible(*attempt) or "").split(",")]
        assert len(set(used)) == len(used) == 2 * len(machine.runs)
        assert all(scene.reason(name) for name in waiting_now[:3])
        if waiting_now and dice.random() < 0.2:
            canceled.append(dice.choice(waiting_now))
            made.cancel(canceled[-1], 0)
        (trial_id, _) = dice.choice(sorted(machine.runs))
        if dice.random() < 0.5:
            machine.begin(trial_id)
        machine.end(trial_id, 0, *dice.choice([(0, None), (1, None), (None, 9), (None, None)]))
    assert sorted(event.trial_id for event in scene.of(TrialEnded)) == sorted(names)
    assert len(machine.launched) == 200 - len(canceled)
    assert canceled


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


async def test_thousands_that_wait_make_nothing_slow(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """All wait for the same thing, so what is looked at does not grow with their number."""
    monkeypatch.setattr(waiting, "MOST_TOLD", 0)
    machine = scene.add("a", ONE_GPU, gpus(0, 0))
    await scene.start()
    looked_at = 0
    has_room = HostState.has_room

    def counting(state: HostState) -> bool:
        nonlocal looked_at
        looked_at += 1
        return has_room(state)

    monkeypatch.setattr(HostState, "has_room", counting)
    names = [f"t{number}" for number in range(10_000)]
    scene.submit(*names)
    assert looked_at == 3
    for name in names[:100]:
        machine.end(name)
    assert looked_at == 3 + 100 * 2
    assert machine.launched[-1] == ("t101", 0)
    assert len(scene.of(TrialWaits)) == 10_000 - 2


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
