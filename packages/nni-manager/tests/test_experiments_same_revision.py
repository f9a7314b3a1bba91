"""Row 138: what an overview and a list of trials say of the same revision agrees, while trials go on."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from pathlib import Path

import pytest
from nni_manager.engine.effects import SaveExperiment, SaveTrial
from nni_manager.engine.statuses import TrialStatus
from nni_manager.experiments.reading import OpenRecordReader
from nni_manager.experiments.trial_table.query import TrialQuery
from nni_manager.storage.interface import Storage
from nni_manager.storage.memory import MemoryStorage
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.storage import EXPERIMENT, trial

LIVES = (TrialStatus.WAITING, TrialStatus.RUNNING, TrialStatus.SUCCEEDED)


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return MemoryStorage() if request.param == "memory" else open_sqlite_storage(tmp_path / "db" / "e.sqlite")


async def test_counts_agree_at_the_same_revision(storage: Storage) -> None:
    committed = storage.commit([SaveExperiment(EXPERIMENT)])
    reader = OpenRecordReader(storage, "/e", lambda _: (EXPERIMENT, committed), lambda name: f"/e/{name}")

    async def go_on() -> None:
        nonlocal committed
        for number, status in itertools.product(range(60), LIVES):
            committed = await asyncio.to_thread(storage.commit, [SaveTrial(trial(number, status=status))])

    seen: dict[int, dict[str, Counter[TrialStatus]]] = {}
    going_on = asyncio.create_task(go_on())
    ended = False
    while not ended:
        ended = going_on.done()
        view = await reader.experiment()
        seen.setdefault(view.revision, {})["overview"] = Counter(view.trial_counts)
        for name, query in (("plain", TrialQuery()), ("sorted", TrialQuery(order_by="status, -number"))):
            page, views = await reader.trial_page(query, None, 0, 1000)
            statuses = Counter(each.stored.record.status for each in views)
            assert statuses.total() == page.total_size
            seen.setdefault(page.revision, {})[name] = statuses
    await going_on
    assert seen[181].keys() == {"overview", "plain", "sorted"}
    for counts in seen.values():
        assert all(each == next(iter(counts.values())) for each in counts.values())
    reader.close()
    storage.close()
