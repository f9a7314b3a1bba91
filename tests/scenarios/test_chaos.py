"""A search whose processes are killed and paused, and whose disk is full now and then, loses nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from workspace import chaos
from workspace.benchmark import MARK
from workspace.marked import end

FIXED_SEED = 3
SEED_VARIABLE = "NNI_CHAOS_SEED"
"""The environment variable that may name another seed to try."""

SEEDS = sorted({FIXED_SEED, int(os.environ.get(SEED_VARIABLE, FIXED_SEED))})


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_whatever_dies(seed: int) -> None:
    environment = chaos.environment()
    try:
        done = subprocess.run(
            chaos.command(sys.executable, ["--short", "--json", "--seed", str(seed)]),
            env=environment,
            capture_output=True,
            text=True,
            timeout=280,
        )
    finally:
        end(environment[MARK])
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["is right"] and found["experiment"] == "DONE"
    assert found["faults"]["manager killed"] >= 4
    assert found["values reported"] > 0
    assert set(found["zeros"].values()) == {0}
