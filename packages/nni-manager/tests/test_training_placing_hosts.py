"""Hosts of the placing service that do not work, fail, come and go, and whose GPUs change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nni_manager.engine.events import (
    TrainingServiceFailed,
    TrialEnded,
    TrialStarted,
)
from nni_manager.testing.fake_hosts import gpus
from nni_manager.testing.placing_scene import ONE_GPU, Scene, placing_scene, turn
from nni_manager.training.host import HostRules
from nni_manager.training.interface import TrainingServiceError


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    async with placing_scene(tmp_path, monkeypatch) as made:
        yield made


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
    await scene.services[-1].close()
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
