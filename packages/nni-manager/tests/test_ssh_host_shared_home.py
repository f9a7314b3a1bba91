"""Several machines that share one home folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from nni_manager.engine.events import TrialEnded, TrialStarted
from nni_manager.testing.ssh_place import SshPlace
from nni_manager.testing.ssh_server import SshServer, ssh_server
from nni_manager.testing.training_service import Listener, started, trial
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.ssh import host

COMMAND = """
echo out$NNI_TRIAL_ATTEMPT
case $NNI_TRIAL_JOB_ID in
waits) while [ ! -e go ]; do sleep 0.02; done;;
fails) exit $((7 * (1 - NNI_TRIAL_ATTEMPT)));;
esac
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def place(tmp_path: Path, server: SshServer) -> Iterator[SshPlace]:
    place = SshPlace(tmp_path, server)
    yield place
    assert place.left() == []


async def test_they_are_in_nobodys_way(place: SshPlace, server: SshServer) -> None:
    one, other = Listener(), Listener()
    targets = [server.target(name=name) for name in ("one", "other")]
    async with started(place.service(COMMAND, other.emit, target=targets[1])) as second:
        async with started(place.service(COMMAND, one.emit, target=targets[0])) as first:
            assert len(list(place.remote.glob("run-*"))) == 2
            second.submit(trial("waits"))
            await other.next("waits", TrialStarted)
            first.submit(trial("fails"))
            assert (await one.next("fails", TrialEnded)).exit_code == 7
            second.submit(trial("fails", attempt=1))
            assert (await other.next("fails", TrialEnded)).exit_code == 0
        place.write_code("go", "")
        assert (await other.next("waits", TrialEnded)).exit_code == 0
    assert place.read("fails", "stdout") == b"out0\nout1\n"
    assert place.read("waits", "stdout") == b"out0\n"
    assert not place.remote.parent.exists()


async def test_one_that_cannot_start_leaves_the_other_what_it_needs(
    place: SshPlace, server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener()
    targets = [server.target(name=name) for name in ("one", "other")]
    async with started(place.service("true", listener.emit, target=targets[1])) as well:
        ill = place.service("true", Listener().emit, target=targets[0])

        async def fail() -> None:
            raise TrainingServiceError("no courier")

        monkeypatch.setattr(ill, "_begin", fail)
        with pytest.raises(TrainingServiceError, match="no courier"):
            await ill.start()
        await ill.close()
        assert isinstance(ill, host.SshHost)
        well.submit(trial())
        assert (await listener.next("abcde", TrialEnded)).exit_code == 0
    assert not place.remote.parent.exists()
