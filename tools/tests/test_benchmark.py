from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from workspace.benchmark import MARK
from workspace.benchmark.measure import Measured, bare_milliseconds, report, span
from workspace.benchmark.sampling import Sampler, role
from workspace.launch import ToolError


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python noop.py /tmp/x report", "trial"),
        ("/bin/bash -c python noop.py /tmp/x report", "trial"),
        ("python subject.py /tmp/x 8080 20 2", "client"),
        ("python -m nni_manager --experiments-directory /tmp/x", "manager"),
        ("python -m nni_manager.tuning.process 5", "tuner"),
        ("python -m nni.courier /tmp/x", "courier"),
        ("node --max-old-space-size=4096 main.js --port 8080", "manager"),
        ("python -m nni --exp_params abc", "tuner"),
        ("sleep 5", "other"),
    ],
)
def test_processes_are_told_apart_by_their_command(command: str, expected: str) -> None:
    assert role(command) == expected


def test_the_sampler_sees_marked_processes_and_what_they_used() -> None:
    mark = uuid.uuid4().hex
    code = "import time; t = time.process_time\nwhile t() < 0.3: pass\nprint(1, flush=True); time.sleep(600)"
    environment = {**os.environ, MARK: mark}
    sampler = Sampler(mark)
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            assert [process.pid for process in sampler.living()] == [child.pid]
            sampler.sample()
        finally:
            child.kill()
    assert sampler.peak_pss["other"] > 2**20
    assert sampler.peak_pss["all"] == sampler.peak_pss["other"]
    assert sampler.cpu[-1][1]["other"] >= 0.2


def test_the_bare_script_runs_as_often_as_asked(tmp_path: Path) -> None:
    times = tmp_path / "times.txt"
    assert bare_milliseconds(sys.executable, 3, 2, times) > 0
    assert len(times.read_text().splitlines()) == 6


def test_a_trial_that_did_not_end_is_an_error(tmp_path: Path) -> None:
    times = tmp_path / "times.txt"
    times.write_text("first 1.0\nfirst 2.0\nlast 3.0\n")
    with pytest.raises(ToolError, match="2 trials were asked for, 2 began and 1 ended well"):
        span(times, 2)


def test_the_table_has_a_ratio_when_there_are_two_columns() -> None:
    ours, theirs = Measured("nni 4", {"time (s)": 2.0}), Measured("nni 3", {"time (s)": 10.0})
    assert report([ours]).splitlines()[1].split() == ["time", "(s)", "2.00"]
    assert report([ours, theirs]).splitlines()[1].split() == ["time", "(s)", "2.00", "10.00", "5.0"]
