"""A pytest plugin: three hosts for tests of other machines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from workspace.lab import Laboratory


@pytest.fixture(scope="session")
def running_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """A laboratory for all tests of this process."""
    with Laboratory(Path(tmp_path_factory.mktemp("lab"))) as lab:
        yield lab


@pytest.fixture
def lab(running_lab: Laboratory) -> Iterator[Laboratory]:
    """Three hosts with empty homes: gpu-a, gpu-b, and `old`, which has Python 3.8 alone."""
    yield running_lab
    running_lab.put_in_order()
