"""A pytest plugin: files that take long come first, so that in the end no worker waits for another."""

from __future__ import annotations

from collections import defaultdict

import pytest

_SECONDS = 0.3
_SECONDS_OF_SLOW = 10.0
_SHARE_OF_TIMEOUT = 0.25
_SECONDS_OF_STATE_MACHINE = 15.0
_STATE_MACHINE = "runTest"
"""What hypothesis calls the one test of a rule-based state machine."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts files in order by how long they may take; the tests of each stay in their order."""
    seconds: dict[str, float] = defaultdict(float)
    for item in items:
        seconds[_file_of(item)] += _guess(item)
    items.sort(key=lambda item: -seconds[_file_of(item)])


def _guess(item: pytest.Item) -> float:
    if item.name == _STATE_MACHINE:
        return _SECONDS_OF_STATE_MACHINE
    if item.get_closest_marker("slow") is None:
        return _SECONDS
    limit = item.get_closest_marker("timeout")
    return max(_SECONDS_OF_SLOW, _SHARE_OF_TIMEOUT * float(limit.args[0]) if limit and limit.args else 0.0)


def _file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
