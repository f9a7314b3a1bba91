"""What the placing service has on record, and what the next manager makes of it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

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
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.placing import service
from nni_manager.training.placing.record import FILE_NAME


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    async with placing_scene(tmp_path, monkeypatch) as made:
        yield made


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
    machine, other = (scene.add(name, HostRules(trial_concurrency=1)) for name in "ab")
    made = await scene.start(durable=True)
    scene.submit("t0", "t1", "t2")
    await made.close()
    machine.emit(TrialEnded("t0", 0, 0.0))
    assert machine.launched == other.launched == []
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


async def test_trials_of_a_machine_that_is_away_at_a_restart_are_waited_for(scene: Scene) -> None:
    """With allow_partial; others run meanwhile, and none on a machine that never ran anything."""
    away, well = (
        scene.add("a", HostRules(trial_concurrency=1)),
        scene.add("b", HostRules(trial_concurrency=1)),
    )
    never = scene.add("c", HostRules(trial_concurrency=1))
    never.is_away = True
    await scene.start(optional_services={0})
    scene.submit("t0", "t1")
    assert (away.launched, well.launched) == ([("t0", 0)], [("t1", 0)])
    away.is_away = True
    made = await scene.start()
    assert scene.warnings[-2:] == [
        "a: no answer in 10 s; the trials that ran there are looked for, and others run without it meanwhile",
        "c: no answer in 10 s; the trials run without it",
    ]
    for name in ("t0", "t1"):
        made.adopt(name, 0, 0)
    scene.submit("new")
    assert scene.reason("new").startswith("a unreachable since ")
    well.end("t1")
    assert well.launched[-1] == ("new", 0)
    assert not scene.of(TrialEnded, "t0") and away.adopted == [("t0", 0)]
    away.join()
    away.end("t0")
    assert [event.exit_code for event in scene.of(TrialEnded, "t0")] == [0]


async def test_a_start_without_a_machine_that_may_not_lack_is_refused_though_trials_run_there(
    scene: Scene,
) -> None:
    scene.add("a", HostRules())
    scene.add("b", HostRules())
    await scene.start()
    scene.submit("t0")
    scene.machines["a"].is_away = True
    with pytest.raises(TrainingServiceError, match="a: no answer in 10 s"):
        await scene.start()


async def test_a_host_that_is_awaited_keeps_no_start_that_finds_trials_on_it(scene: Scene) -> None:
    """Be it the only one; without trials of its own it has to be there."""
    away = scene.add("a", HostRules())
    away.is_away = away.is_awaited = True
    with pytest.raises(TrainingServiceError, match="a: no answer in 10 s"):
        await scene.start()
    away.is_away = False
    await scene.start()
    scene.submit("t0")
    away.is_away = True
    made = await scene.start()
    assert scene.warnings == [
        "a: no answer in 10 s; the trials that ran there are looked for, and none starts before"
    ]
    made.adopt("t0", 0, 0)
    scene.submit("new")
    assert scene.reason("new").startswith("a unreachable since ")
    away.join()
    assert away.launched[-1] == ("new", 0)
    away.end("t0")
    assert scene.of(TrialEnded, "t0")
