"""The training-service contracts for trials on a machine behind SSH, with reuse mode on."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from nni_manager.testing.reuse_mode import ReuseModeContract
from nni_manager.testing.ssh_place import SshPlace
from nni_manager.testing.ssh_server import SshServer, ssh_server
from nni_manager.testing.training_service import TrainingServiceContract


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def place(tmp_path: Path, server: SshServer) -> Iterator[SshPlace]:
    place = SshPlace(tmp_path, server, reuse_mode=True)
    yield place
    assert place.left() == []
    shutil.rmtree(place.remote, ignore_errors=True)  # left if a trial had no end yet


class TestLoopingScripts(ReuseModeContract):
    pass


class TestScriptsThatAskOnceOrNever(TrainingServiceContract):
    pass
