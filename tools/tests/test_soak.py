from __future__ import annotations

import os
import subprocess
import sys
import uuid

import pytest
from workspace.benchmark import MARK
from workspace.environments import ROOT
from workspace.soak.story import RESULTS, is_right

ALL = list(range(RESULTS))


@pytest.mark.parametrize(
    ("status", "returned", "recorded", "right"),
    [
        ("SUCCEEDED", ALL, ALL, True),
        ("FAILED", [], [], True),
        ("FAILED", [0, 1], [0, 1], True),
        ("FAILED", [0, 1], [0, 1, 2], True),
        ("SUCCEEDED", ALL[:-1], ALL, False),
        ("SUCCEEDED", ALL, ALL[:-1], False),
        ("SUCCEEDED", ALL, [], False),
        ("FAILED", [0, 1], [0], False),
        ("FAILED", [0, 1], [0, 1, 1], False),
        ("FAILED", [0, 1], [1, 0], False),
        ("FAILED", [0, 1], [0, 1, 2, 3], False),
    ],
)
def test_what_is_lost_doubled_or_out_of_order_is_noticed(status, returned, recorded, right) -> None:
    assert is_right(status, returned, recorded) is right


@pytest.mark.slow
def test_a_short_soak() -> None:
    command = [sys.executable, "-m", "workspace.soak.story", "0.2", "4", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tools"), MARK: uuid.uuid4().hex}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines() if "  " in line)
    assert rows["experiment"] == "DONE"
    assert sum(int(count) for name, count in rows.items() if name.endswith("s killed")) > 0
