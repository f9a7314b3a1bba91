"""A machine that no manager reaches any more stops its trials by itself."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nni_manager.engine.events import TrialEnded, TrialStarted
from nni_manager.testing.ssh_place import SshPlace
from nni_manager.testing.ssh_server import SshServer, ssh_server
from nni_manager.testing.training_service import PATIENCE, Listener, started, trial
from nni_manager.training.ssh import host, reconnecting

INTERRUPTED = "trap 'echo interrupted; exit 0' INT; while true; do sleep 0.02; done"


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def place(tmp_path: Path, server: SshServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshPlace]:
    monkeypatch.setattr(reconnecting, "LONGEST_PAUSE", 0.2)
    monkeypatch.setattr(host, "CLOSING_PATIENCE", 0.1)
    monkeypatch.setattr(host, "unattended_margin", lambda limit: -PATIENCE)
    place = SshPlace(tmp_path, server)
    yield place
    assert place.left() == []


class HostListener(Listener):
    """Listens to trials alone."""

    def emit(self, event: object) -> None:
        if hasattr(event, "trial_id"):
            super().emit(event)  # type: ignore[arg-type]


@asynccontextmanager
async def serving(
    place: SshPlace, command: str, listener: Listener, unattended_limit: float
) -> AsyncIterator[host.SshHost]:
    """Serves; the machine stops trials after so many seconds, long before they are given up here."""
    service = place.service(command, listener.emit, unreachable_limit=unattended_limit + PATIENCE)
    async with started(service):
        yield service


async def until_gone(place: SshPlace) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while place.processes():
        assert asyncio.get_running_loop().time() < deadline, place.processes()
        await asyncio.sleep(0.02)


async def test_trials_end_by_themselves_and_the_next_manager_says_so(
    place: SshPlace, server: SshServer
) -> None:
    before, after = HostListener(), HostListener()
    async with serving(place, INTERRUPTED, before, 2.0) as service:
        service.submit(trial())
        await before.next("abcde", TrialStarted)
        server.stop()
    try:
        await until_gone(place)
    finally:
        server.start()
    assert not before.of("abcde", TrialEnded)
    async with serving(place, "false", after, 60.0) as service:
        service.adopt("abcde", 0, 0)
        ended = await after.next("abcde", TrialEnded)
    assert (ended.exit_code, ended.signal) == (None, None)
    assert "no manager had been for 2 s" in ended.problem
    assert place.read("abcde", "stdout") == b"interrupted\n"
    assert not place.remote.parent.exists()


async def test_trials_go_on_where_a_manager_comes_back_in_time(place: SshPlace, server: SshServer) -> None:
    listener = HostListener()
    limit = 8.0
    async with serving(place, INTERRUPTED, listener, limit) as service:
        service.submit(trial())
        await listener.next("abcde", TrialStarted)
        (attended,) = place.remote.glob("run-*/attended")
        begun = attended.stat().st_mtime
        server.stop()
        server.start()
        while attended.stat().st_mtime < begun + limit:
            await asyncio.sleep(0.02)
        assert not listener.of("abcde", TrialEnded)
        service.cancel("abcde", 0)
        assert (await listener.next("abcde", TrialEnded)).exit_code == 0
    assert not place.remote.parent.exists()


async def test_what_watches_ends_with_the_last_trial(place: SshPlace, server: SshServer) -> None:
    listener = HostListener()
    async with serving(place, "sleep 1", listener, 3600.0) as service:
        service.submit(trial())
        await listener.next("abcde", TrialStarted)
        server.stop()
    try:
        await until_gone(place)
    finally:
        server.start()
    async with serving(place, "false", listener, 3600.0) as service:
        service.adopt("abcde", 0, 0)
        assert (await listener.next("abcde", TrialEnded)).exit_code == 0
