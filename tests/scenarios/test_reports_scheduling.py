"""Trials get their places whatever others do (field reports 161 and 162)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from nni_manager.testing import fake_nvidia_smi

pytestmark = pytest.mark.slow

UNRULY = """\
import os, random, subprocess, sys, time, nni
nni.get_next_parameter()
chance = random.Random(nni.get_sequence_id())
time.sleep(chance.random() * 0.1)
way = chance.choice(["well", "well", "crash", "kill", "late", "child"])
if way == "crash":
    sys.exit(3)
if way == "kill":
    os.kill(os.getpid(), 9)
nni.report_final_result({"default": 1, "visible": os.environ["CUDA_VISIBLE_DEVICES"]})
if way == "late":
    time.sleep(0.2)
if way == "child":
    subprocess.Popen(["sleep", "0.2"])
"""


def test_no_gpu_is_idle_while_a_trial_waits(stage) -> None:
    """Row 161: trials of two GPUs each that crash, are killed or end late; places are on record in order."""
    fake_nvidia_smi.install(stage.home / "bin", {"gpus": fake_nvidia_smi.gpus(4)})
    stage.environment["PATH"] = f"{stage.home / 'bin'}:{stage.environment['PATH']}"
    stage.write("trial.py", UNRULY)
    output = stage.run(
        """
        experiment = make(trials=100, concurrency=10, id="mine")
        experiment.config.training_service.trial_gpu_number = 2
        experiment.config.training_service.use_active_gpu = False
        experiment.config.stop_on_early_failures = False
        experiment.start(0)
        silent = set()
        while experiment.get_status() not in ("DONE", "STOPPED", "ERROR"):
            silent |= {it.trialJobId for it in experiment.list_trial_jobs()
                       if it.status == "WAITING" and not it.message}
            time.sleep(0.05)
        print("STATUS", experiment.get_status())
        print("ENDS", sorted({it.status for it in experiment.list_trial_jobs()}))
        print("SILENT", sorted(silent))
        experiment.stop()
        """
    )
    for words in ("STATUS DONE", "ENDS ['FAILED', 'SUCCEEDED']", "SILENT []"):
        assert words in output, output
    lines = (stage.experiments / "mine" / "placements.jsonl").read_text().splitlines()
    running: dict[tuple[str, int], list[int]] = {}
    ended = 0
    for line in map(json.loads, lines):
        key = (line["trial"], line["attempt"])
        if "gpus" in line:
            running[key] = [index for index, _ in line["gpus"]]
            used = Counter(index for each in running.values() for index in each)
            assert len(running[key]) == 2 and max(used.values()) == 1, line
            continue
        # Before each end all GPUs are taken, but for the last ones.
        assert len(running) == 2 or ended >= 98, (ended, running)
        del running[key]
        ended += 1
    assert (ended, running) == (100, {})


@pytest.fixture
def busy_loops():
    """Starts processes that take all the time of one processor."""
    loops: list[subprocess.Popen[bytes]] = []

    def start(processor: int, count: int) -> None:
        code = f"import os\nos.sched_setaffinity(0, {{{processor}}})\nwhile True: pass"
        loops.extend(subprocess.Popen([sys.executable, "-S", "-c", code]) for _ in range(count))

    yield start
    for loop in loops:
        loop.kill()
        loop.wait()


def test_a_manager_without_processor_time_is_late_and_nothing_else(stage, busy_loops) -> None:
    """Row 162: it shares its processor with busy loops, then gets none at all for some seconds."""
    with stage.start(
        """
        experiment = make(trials=30, concurrency=4, id="mine")
        experiment.start(0)
        while not any(it.status == "SUCCEEDED" for it in experiment.list_trial_jobs()):
            time.sleep(0.02)
        print("RUNS", flush=True)
        while experiment.get_status() not in ("DONE", "STOPPED", "ERROR"):
            time.sleep(0.05)
        print("STATUS", experiment.get_status())
        print("ENDS", sorted({it.status for it in experiment.list_trial_jobs()}))
        experiment.stop()
        """
    ) as script:
        assert script.stdout is not None
        for line in script.stdout:
            if line.startswith("RUNS"):
                break
        manager = json.loads((stage.experiments / "mine" / "manager.json").read_text())["pid"]
        processor = max(os.sched_getaffinity(manager))
        before = os.sched_getaffinity(manager)
        _give_processors(manager, {processor}, 19)
        busy_loops(processor, 2)
        os.kill(manager, signal.SIGSTOP)
        log = stage.experiments / "mine" / "log" / "nnimanager.log"
        try:
            # No event tells that a process got no time for so long.
            stage.until(lambda: False, 4)
        finally:
            os.kill(manager, signal.SIGCONT)
        assert stage.until(lambda: "the manager was held up for" in log.read_text())
        _give_processors(manager, before, 0)
        output, _ = script.communicate(timeout=100)
    assert script.returncode == 0, output
    assert "STATUS DONE" in output and "ENDS ['SUCCEEDED']" in output


def _give_processors(pid: int, processors: set[int], niceness: int) -> None:
    """Says where all threads of a process run, and how much they give way to others."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), processors)
        os.setpriority(os.PRIO_PROCESS, int(thread.name), niceness)
