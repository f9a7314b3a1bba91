"""What holds for every test of this repository."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import settings

pytest_plugins = ["workspace.azurite", "workspace.lab.fixtures"]

_SECONDS_TO_END = 5.0

# No test is timed: how fast an example runs depends on what else the machine does.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Some tests fork. Once gRPC is at work in this process its fork handlers would break such children, so it
# starts here, without them, which it decides when it is imported; processes that tests start are not to
# inherit that.
with mock.patch.dict(os.environ, {"GRPC_ENABLE_FORK_SUPPORT": "0"}):
    import grpc

    grpc.insecure_channel("127.0.0.1:1").close()


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """Fails the test that leaves a child process, zombies included, and not a later one that meets it."""
    before = _children()
    yield
    deadline = time.monotonic() + _SECONDS_TO_END
    while (left := _children() - before) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left, f"processes left: {[_describe(pid) for pid in left]}"


def _children() -> set[int]:
    """Returns the ids of this process's children; reads less than a look at every process would."""
    pids: set[int] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        try:
            pids.update(map(int, path.read_text().split()))
        except OSError:  # a thread that ended meanwhile
            continue
    return pids


def _describe(pid: int) -> str:
    try:
        return f"{pid} {Path(f'/proc/{pid}/stat').read_text().split(')')[0].partition('(')[2]}"
    except OSError:
        return str(pid)
