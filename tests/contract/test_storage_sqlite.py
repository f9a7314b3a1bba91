from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from nni_manager.engine.effects import SaveTrial
from nni_manager.storage.interface import Storage
from nni_manager.storage.sqlite import files, open_sqlite_storage
from nni_manager.testing.storage import StorageContract, trial
from nni_manager.testing.storage_history import HistoryContract
from nni_manager.testing.storage_table import TableContract


class TestSqliteStorage(StorageContract, HistoryContract, TableContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Iterator[Storage]:
        storage = open_sqlite_storage(tmp_path / "db" / "experiment.sqlite")
        yield storage
        storage.close()


class TestSqliteStorageOnNetworkFileSystem(TestSqliteStorage):
    @pytest.fixture(autouse=True)
    def on_network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(files, "is_on_network", lambda path: True)


def test_commits_go_on_beside_a_snapshot(tmp_path: Path) -> None:
    storage = open_sqlite_storage(tmp_path / "db" / "experiment.sqlite")
    storage.commit([SaveTrial(trial(0))])
    with storage.snapshot():
        assert storage.commit([SaveTrial(trial(1))]) == 2
        assert (storage.revision(), len(storage.trials()), storage.trial("t0001")) == (1, 1, None)
    assert (storage.revision(), len(storage.trials())) == (2, 2)
    storage.close()
