from __future__ import annotations

from collections.abc import Iterator

import pytest
from nni_manager.storage.interface import Storage
from nni_manager.storage.memory import MemoryStorage
from nni_manager.testing.storage import StorageContract
from nni_manager.testing.storage_history import HistoryContract
from nni_manager.testing.storage_table import TableContract


class TestMemoryStorage(StorageContract, HistoryContract, TableContract):
    @pytest.fixture
    def storage(self) -> Iterator[Storage]:
        storage = MemoryStorage()
        yield storage
        storage.close()
