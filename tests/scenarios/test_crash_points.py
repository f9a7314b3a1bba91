"""The manager is killed at every named moment; the next one loses nothing and does nothing twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from nni_config.algorithm import CustomAlgorithmConfig
from nni_config.wire import config_to_message
from nni_manager.experiments import crash_points
from nni_manager.testing.manager_process import StartedManager
from nni_manager.testing.noting_trials import NotedSearch, noted_search, until
from nni_proto import values
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1 import metric_pb2, trial_pb2
from nni_proto.v1 import trial_runtime_service_pb2 as runtime_pb
from nni_proto.v1.trial_runtime_service_pb2_grpc import TrialRuntimeServiceStub

pytestmark = pytest.mark.slow

TRIALS = 6

TRIAL = """
x = begin()["x"]
for step in range(3):
    report("intermediate", x * (step + 1) / 3)
    time.sleep(0.05)
step = 0
while x > 0.8 and step < 500 and not stopping:
    step += 1
    report("intermediate", x + step * 1e-6)
    time.sleep(0.05)
if not stopping:
    report("final", x)
"""

ASSESSOR = """
from nni.assessor import Assessor, AssessResult
class Strict(Assessor):
    def assess_trial(self, trial_job_id, trial_history):
        return AssessResult.Bad if trial_history[-1] > 0.8 else AssessResult.Good
"""

COUNTS = {
    "save-experiment": 3,
    "save-trial": 6,
    "save-metrics": 4,
    "save-tuner-notes": 5,
    "submit-trial": 3,
    "acknowledge-reports": 4,
    "tell-tuner": 6,
    "tell-assessor": 5,
    "commit": 9,
}
"""At which of its times a point is tried; the others at the first."""

HASTE = "import nni_manager.engine.clock as clock; clock.HEARTBEAT_SECONDS = 0.1"
"""Lets a manager say often that it lives."""


KILLED_WHILE_STOPPING = """
from nni_manager.engine import engine
from nni_manager.experiments import crash_points

def stop(state, step, event, stop=engine._HANDLERS[engine.events.StopRequested]):
    crash_points._counts.clear()
    crash_points._point, crash_points._count = {point!r}, 1
    stop(state, step, event)

engine._HANDLERS[engine.events.StopRequested] = stop
"""
"""Lets a manager be killed at the first time that it comes to a point after it was told to stop."""


@pytest.fixture
def search(tmp_path: Path) -> Iterator[NotedSearch]:
    with noted_search(tmp_path, TRIAL) as search:
        (search.folder / "strict.py").write_text(ASSESSOR)
        search.config.search_space = {"x": {"_type": "choice", "_value": [0.1, 0.2, 0.9, 0.3, 0.4, 0.5]}}
        search.config.max_trial_number = TRIALS
        search.config.tuner.name = "GridSearch"
        search.config.optimize_mode = "minimize"  # The best trial is never stopped.
        search.config.assessor = CustomAlgorithmConfig(
            class_name="strict.Strict", code_directory=search.folder
        )
        yield search


@pytest.mark.parametrize("point", crash_points.NAMES)
def test_a_kill_at(search: NotedSearch, point: str) -> None:
    what = point.partition("-")[2]
    crash = {crash_points.VARIABLE: f"{point}:{COUNTS.get(what, 1)}"}
    if what == "adopt-trial":
        run_until_killed(search.start(**{crash_points.VARIABLE: "after-acknowledge-reports:2"}), search)
        run_until_killed(search.reopen(**crash), None)
    elif what == "late-results":
        manager = search.run()
        manager.until("DONE")
        manager.kill()
        report_late(search, search.reopen(**crash), is_killed=True)
    else:
        before = HASTE if what == "heartbeat" else ""
        manager = search.starter.start("--experiment-id=mine", before=before, **crash)
        run_until_killed(manager, search)
    manager = search.resume()
    assert manager.until("DONE", "ERROR") == "DONE"
    if what == "late-results":
        report_late(search, manager, is_killed=False)
    search.check(manager, TRIALS)
    statuses = sorted(trial_pb2.Trial.Status.Name(trial.status) for trial in manager.trials())
    assert statuses == ["STATUS_EARLY_STOPPED", *["STATUS_SUCCEEDED"] * (TRIALS - 1)]
    parameters = [values.from_message(trial.parameters)["x"] for trial in manager.trials()]
    assert sorted(parameters) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.9]
    manager.stop()
    until(lambda: not search.processes(), 10)


@pytest.mark.parametrize("point", ["after-commit", "before-cancel-trial", "after-cancel-trial"])
def test_a_kill_while_it_stops(search: NotedSearch, point: str) -> None:
    """A trial that was handed on and had not started is no trial that was stopped: it runs after a resume."""
    search.config.search_space = {"x": {"_type": "choice", "_value": [0.9, 0.1, 0.2]}}
    search.config.assessor = None
    search.config.trial_concurrency, search.config.max_trial_number = 1, 3
    manager = search.starter.start("--experiment-id=mine", before=KILLED_WHILE_STOPPING.format(point=point))
    manager.create_and_start(search.config.canonical_copy())
    search.until_started(1)
    forked = [pid for pid, command in search.processes().items() if "-m nni.courier" in command]
    (courier,) = [pid for pid in forked if Path(f"/proc/{pid}/comm").read_text() != "nni-runner\n"]
    os.kill(courier, signal.SIGSTOP)
    search.config.trial_concurrency = 2
    manager.call(
        "UpdateExperiment",
        pb.UpdateExperimentRequest(
            name=manager.name,
            config=config_to_message(search.config.canonical_copy()),
            update_mask={"paths": ["trial_concurrency"]},
        ),
    )
    until(lambda: len(manager.trials()) == 2)
    with pytest.raises(grpc.RpcError):
        manager.call("StopExperiment", pb.StopExperimentRequest(name=manager.name))
    assert manager.process.wait(60) == -9
    os.kill(courier, signal.SIGKILL)
    manager = search.resume()
    assert manager.until("DONE", "ERROR") == "DONE"
    found = {
        values.from_message(trial.parameters)["x"]: trial_pb2.Trial.Status.Name(trial.status)
        for trial in manager.trials()
    }
    assert found.pop(0.9) == "STATUS_USER_CANCELED"
    assert found == {0.1: "STATUS_SUCCEEDED", 0.2: "STATUS_SUCCEEDED"}
    started = [trial_id for trial_id, _, _ in search.notes("started")]
    assert len(started) == len(set(started)) == 3
    search.check_results(manager)
    manager.stop()
    until(lambda: not search.processes(), 10)


def run_until_killed(manager: StartedManager, search: NotedSearch | None) -> None:
    """Runs or resumes the search until the manager's process is killed, which may be at once."""
    with suppress(grpc.RpcError):
        if search is None:
            manager.resume()
        else:
            manager.create_and_start(search.config.canonical_copy())
    assert manager.process.wait(60) == -9


def report_late(search: NotedSearch, manager: StartedManager, *, is_killed: bool) -> None:
    """Reports a result of a trial that has ended; what is not answered is reported again."""
    if is_killed:
        manager.resume()
        manager.until("DONE")
        trial = manager.trials()[0].name
        with (search.folder / "reported").open("a") as notes:
            notes.write(f"{trial.rpartition('/')[2]} final 7\n")
    trial = manager.trials()[0].name if not is_killed else trial
    report = runtime_pb.ReportMetricsRequest(
        trial=trial,
        reports=[
            metric_pb2.MetricReport(
                kind=metric_pb2.METRIC_KIND_FINAL, reporter="late", number=0, value=values.to_message(7)
            )
        ],
    )
    with grpc.insecure_channel(f"127.0.0.1:{manager.told['port']}") as channel:
        stub = TrialRuntimeServiceStub(channel)
        if is_killed:
            with pytest.raises(grpc.RpcError):
                stub.ReportMetrics(report, metadata=manager.metadata, timeout=60)
            assert manager.process.wait(60) == -9
        else:
            stub.ReportMetrics(report, metadata=manager.metadata, timeout=60)
