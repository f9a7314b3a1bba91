from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid

import pytest
from workspace.benchmark import MARK
from workspace.marked import end, kind_of, marked_processes, others, wait_until


@pytest.mark.parametrize(
    ("name", "command", "kind"),
    [
        ("python", "python -S -m nni.courier --experiment-id=a", "courier"),
        ("nni-runner", "python -S -m nni.courier --experiment-id=a", "runner"),
        ("python", "python /x/soak/trial.py", "trial"),
        ("python", "python -m nni_manager.tuning.process 5", "tuner"),
        ("python", "python -m nni_manager --port 0", "manager"),
        ("python", "python -m nni_manager --view --port 0", "view"),
        ("bash", "bash", ""),
    ],
)
def test_processes_are_told_apart(name: str, command: str, kind: str) -> None:
    assert kind_of(name, command) == kind


def test_processes_are_found_by_their_mark() -> None:
    mark = uuid.uuid4().hex
    command = [sys.executable, "-c", "input() # trial.py"]
    with subprocess.Popen(command, env={**os.environ, MARK: mark}, stdin=subprocess.PIPE) as process:
        assert wait_until(lambda: marked_processes(mark), 10)
        found = others(mark)
        assert [(each.pid, each.kind) for each in found] == [(process.pid, "trial")]
        assert marked_processes(mark[:-1]) == []
        end(mark)
        assert process.wait(10) == -signal.SIGKILL
    assert others(mark) == []


def test_what_does_not_come_to_be_is_not_waited_for_long() -> None:
    assert not wait_until(lambda: False, 0)
