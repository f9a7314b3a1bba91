"""A manager with TLS, and a job whose events it gets over the network alone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from nni_config import ExperimentConfig
from nni_manager.testing.manager_process import ManagerStarter, StartedManager, manager_starter
from nni_proto import values
from nni_proto.v1 import metric_pb2

NAME = "manager.test"
IN_ONE_JOB = """
from nni_manager.server import composition
from nni_manager.testing.spooled_job import make_spooled_service
composition.make_training_service = make_spooled_service
"""
TRIAL = """
import os, time, nni
nni.get_next_parameter()
for step in range(20):
    nni.report_intermediate_result(step)
    while step == 9 and not os.path.exists("go"):
        time.sleep(0.02)
nni.report_final_result(0.5)
"""


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[ManagerStarter]:
    with manager_starter(tmp_path) as starter:
        yield starter
    for path in tmp_path.glob("experiments/*/job/job.pid"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(path.read_text()), signal.SIGKILL)


def _start(starter: ManagerStarter, folder: Path, *more: str) -> StartedManager:
    certificate = folder / "cert.pem"
    if not certificate.exists():
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x"
        command += f" -addext subjectAltName=DNS:{NAME} -out cert.pem -keyout key.pem"
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    options = [
        f"--tls-certificate={certificate}",
        f"--tls-key={folder / 'key.pem'}",
        "--experiment-id=direct",
    ]
    return starter.start_with_tls(certificate, NAME, *options, *more, before=IN_ONE_JOB)


def _intermediate(manager: StartedManager) -> list[object]:
    kind = metric_pb2.METRIC_KIND_INTERMEDIATE
    found = [each for each in manager.metrics() if each.kind == kind]
    return [values.from_message(each.value) for each in found]


@pytest.mark.slow
def test_a_manager_that_is_killed_and_comes_back_gets_each_result_once(
    starter: ManagerStarter, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(TRIAL)
    config = ExperimentConfig("local", trial_command=f"{sys.executable} train.py", trial_concurrency=1)
    config.trial_code_directory = tmp_path
    config.experiment_working_directory = tmp_path / "experiments"
    config.max_trial_number = 1
    config.search_space = {"x": {"_type": "choice", "_value": [7]}}
    config.tuner.name = "Random"
    manager = _start(starter, tmp_path)
    manager.create_and_start(config.canonical_copy())
    while _intermediate(manager) != list(range(10)):
        time.sleep(0.05)
    manager.kill()
    (tmp_path / "go").touch()
    events = tmp_path / "experiments" / "direct" / "shared" / "spool" / "job" / "events.jsonl"
    while b'"ended"' not in events.read_bytes():
        time.sleep(0.05)
    manager = _start(starter, tmp_path, "--resume", f"--port={manager.told['port']}")
    manager.resume()
    assert manager.until("DONE") == "DONE"
    assert _intermediate(manager) == list(range(20))
    assert [values.from_message(each.value) for each in manager.metrics()][-1] == 0.5
    assert b'{"problem"' not in events.read_bytes()
    manager.stop()
