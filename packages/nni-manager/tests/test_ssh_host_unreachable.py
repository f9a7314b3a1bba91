"""Trials on a machine behind SSH, while the way there breaks."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nni_manager.engine.events import TrialEnded, TrialReported, TrialStarted
from nni_manager.testing.ssh_place import SshPlace
from nni_manager.testing.ssh_server import SshServer, ssh_server
from nni_manager.testing.training_service import PATIENCE, PYTHON, REPORTER, Listener, started, trial
from nni_manager.training.host import HostAwayError, HostChanged, HostEvent
from nni_manager.training.ssh import host, reconnecting

COUNTING = (
    REPORTER
    + """
for number_to_report in range(6000):
    report(number_to_report)
    if number_to_report % 100 == 0:
        time.sleep(0.05)
report("last", "f")
"""
)
WAITING = (
    REPORTER + 'report("ready")\nwhile not os.path.exists("go"):\n    time.sleep(0.01)\nreport("last")\n'
)
STUBBORN = "trap '' INT; echo $$ > $NNI_OUTPUT_DIR/pid; while :; do sleep 0.05; done"


class HostListener(Listener):
    """Acknowledges what it hears, and waits for changes of the host."""

    host: Any = None

    def emit(self, event: HostEvent) -> None:  # type: ignore[override]
        super().emit(event)  # type: ignore[arg-type]
        if isinstance(event, TrialReported) and self.host is not None:
            self.host.acknowledge(event.trial_id, event.attempt, event.end_offset or 0)

    def changes(self) -> list[bool]:
        return [event.reachable for event in self.seen if isinstance(event, HostChanged)]

    async def changed(self, count: int) -> None:
        while len(self.changes()) < count:
            self._arrived.clear()
            await asyncio.wait_for(self._arrived.wait(), PATIENCE)

    def serve(self, place: SshPlace, command: str, **settings: Any) -> Any:
        self.host = place.service(command, self.emit, **settings)
        return started(self.host)


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def place(tmp_path: Path, server: SshServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshPlace]:
    monkeypatch.setattr(reconnecting, "LONGEST_PAUSE", 0.5)
    monkeypatch.setattr(host, "unattended_margin", lambda limit: 600.0)  # trials are to be stopped by us
    place = SshPlace(tmp_path, server)
    yield place
    assert place.left() == []


@pytest.fixture
async def listener() -> HostListener:
    return HostListener()


async def remote_file(path: Path) -> str:
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not path.exists() or not path.read_text():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)
    return path.read_text()


def noted_pid(place: SshPlace, name: str) -> int:
    """Returns the process id of a helper of ours there."""
    (note,) = place.remote.glob(f"run-*/{name}.json")
    return int(json.loads(note.read_text())["pid"])


async def died(place: SshPlace, pid: int) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while place.is_alive(pid):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


async def test_results_come_once_and_in_order_over_connections_that_break(
    place: SshPlace, server: SshServer, listener: HostListener
) -> None:
    place.write_code("count.py", COUNTING)
    names = [f"trial{number}" for number in range(3)]
    async with listener.serve(place, f"{PYTHON} count.py"):
        for name in names:
            listener.host.submit(trial(name))
        for number in range(3):
            await listener.next(names[number], TrialReported, count=2 * number + 1)
            assert server.cut() > 0
            await listener.changed(2 * number + 2)
        for name in names:
            ended = await listener.next(name, TrialEnded)
            assert (ended.exit_code, ended.problem) == (0, "")
    assert listener.changes() == [False, True] * 3
    for name in names:
        assert listener.values(name) == [*range(6000), "last"]
        assert len(listener.of(name, TrialStarted)) == 1
        assert len(listener.of(name, TrialEnded)) == 1
    assert not place.remote.parent.exists()


async def test_trials_go_on_while_the_server_is_down(
    place: SshPlace, server: SshServer, listener: HostListener
) -> None:
    """One that is submitted meanwhile starts when the machine is back."""
    place.write_code("count.py", COUNTING)
    async with listener.serve(place, f"{PYTHON} count.py"):
        listener.host.submit(trial())
        await listener.next("abcde", TrialReported)
        server.stop()
        await listener.changed(1)
        listener.host.submit(trial("later"))
        await remote_file(place.remote / "trials/abcde/.nni/0/exit.json")
        assert not listener.of("abcde", TrialEnded)
        server.start()
        for name in ("abcde", "later"):
            assert (await listener.next(name, TrialEnded)).exit_code == 0
            assert listener.values(name) == [*range(6000), "last"]
    (away, back) = (event for event in listener.seen if isinstance(event, HostChanged))
    assert (away.host_name, away.reachable, back.reachable, back.reason) == ("loopback", False, True, "")
    assert away.reason
    assert not place.remote.parent.exists()


async def test_a_courier_that_did_not_notice_the_broken_connection_is_replaced(
    place: SshPlace, server: SshServer, listener: HostListener
) -> None:
    place.write_code("wait.py", WAITING)
    target = replace(server.target(), keepalive=0.3)
    async with listener.serve(place, f"{PYTHON} wait.py", target=target):
        listener.host.submit(trial())
        await listener.next("abcde", TrialReported)
        await remote_file(place.experiment / "trials/abcde/.nni/mirror.json")
        earlier = [noted_pid(place, "courier"), noted_pid(place, "files")]
        silent = server.pause()
        await listener.changed(2)
        for pid in earlier:
            await died(place, pid)
        place.write_code("go", "")
        assert (await listener.next("abcde", TrialEnded)).exit_code == 0
        server.end(silent)
    assert listener.values("abcde") == ["ready", "last"]
    assert not place.remote.parent.exists()


async def test_a_courier_that_dies_is_replaced(place: SshPlace, listener: HostListener) -> None:
    place.write_code("wait.py", WAITING)
    async with listener.serve(place, f"{PYTHON} wait.py"):
        listener.host.submit(trial())
        await listener.next("abcde", TrialReported)
        os.kill(noted_pid(place, "courier"), signal.SIGKILL)
        place.write_code("go", "")
        assert (await listener.next("abcde", TrialEnded)).exit_code == 0
    assert listener.values("abcde") == ["ready", "last"]
    assert listener.changes() == []


MANAGER = """
import asyncio, sys
from pathlib import Path
from nni_manager.testing.ssh_place import SshPlace
from nni_manager.testing.training_service import trial
from nni_manager.engine.events import TrialReported
class Server:
    def home(self, user): return Path({home!r})
    def target(self, user):
        from nni_manager.training.ssh.target import SshTarget
        return SshTarget(name="loopback", host="127.0.0.1", user=user, port={port},
                         key_files=(Path({key!r}),), known_hosts=(Path({known!r}),), only_these_keys=True)
class Place(SshPlace):
    def __init__(self):
        folder = Path({folder!r})
        self.experiment, self.code, self.user = folder / "experiment", folder / "code", "worker"
        self.remote = Path({home!r}) / "nni-experiments/exp00001"
        self._server, self._experiment_id, self._settings, self._code_folders = Server(), "exp00001", {{}}, []
async def main():
    def emit(event):
        if isinstance(event, TrialReported):
            print("reported", flush=True)
    host = Place().service({command!r}, emit)
    await host.start()
    host.submit(trial())
    await asyncio.sleep(1000)
asyncio.run(main())
"""


async def test_trials_outlive_a_manager_that_is_killed(
    place: SshPlace, server: SshServer, listener: HostListener, tmp_path: Path
) -> None:
    place.write_code("wait.py", WAITING)
    target = server.target()
    command = f"{PYTHON} wait.py"
    script = MANAGER.format(
        home=str(server.home()),
        port=server.port,
        key=str(target.key_files[0]),
        known=str(target.known_hosts[0]),
        folder=str(tmp_path),
        command=command,
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as manager:
        assert manager.stdout is not None
        assert await asyncio.to_thread(manager.stdout.readline) == b"reported\n"
        manager.kill()
    assert (place.remote / "trials" / "abcde").exists()
    async with listener.serve(place, command):
        listener.host.adopt("abcde", 0, 0)
        await listener.next("abcde", TrialReported)
        place.write_code("go", "")
        assert (await listener.next("abcde", TrialEnded)).exit_code == 0
    assert listener.values("abcde") == ["ready", "last"]
    assert not place.remote.parent.exists()


async def test_trials_of_a_machine_that_is_away_for_too_long_end(
    place: SshPlace, server: SshServer, listener: HostListener
) -> None:
    """What still runs there is stopped when the machine is back, by the next manager too."""
    again = HostListener()
    async with listener.serve(place, STUBBORN, unreachable_limit=1.0):
        for name in ("abcde", "other"):
            listener.host.submit(trial(name))
        pids = [int(await remote_file(place.remote / f"trials/{name}/pid")) for name in ("abcde", "other")]
        server.stop()
        for name in ("abcde", "other"):
            ended = await listener.next(name, TrialEnded)
            assert ended.problem.startswith("loopback was unreachable for 1")
            assert (ended.exit_code, ended.signal) == (None, None)
        assert all(place.is_alive(pid) for pid in pids)
    server.start()
    async with again.serve(place, STUBBORN):
        again.host.adopt("abcde", 0, 0)
        assert (await again.next("abcde", TrialEnded)).problem.startswith("loopback was unreachable for 1")
        for pid in pids:
            await died(place, pid)
        again.host.submit(trial("abcde", attempt=1))
        await again.next("abcde", TrialStarted)
        again.host.cancel("abcde", 1)
        assert (await again.next("abcde", TrialEnded, count=2)).attempt == 1
    assert [event.attempt for event in again.of("abcde", TrialEnded)] == [0, 1]
    assert again.of("other", TrialEnded) == []
    assert not place.remote.parent.exists()


@pytest.mark.parametrize("patience", [0.5, 60.0])
async def test_a_trial_is_canceled_while_its_machine_is_away(
    place: SshPlace, server: SshServer, listener: HostListener, patience: float
) -> None:
    """Its end is told before long; it is stopped when the machine is back, at the latest."""
    async with listener.serve(place, STUBBORN, cancel_patience=patience):
        listener.host.submit(trial())
        pid = int(await remote_file(place.remote / "trials/abcde/pid"))
        server.stop()
        await listener.changed(1)
        listener.host.cancel("abcde", 0)
        if patience < 1.0:
            ended = await listener.next("abcde", TrialEnded)
            assert ended.problem.startswith("it was canceled while loopback was unreachable (")
        assert place.is_alive(pid)
        server.start()
        await listener.next("abcde", TrialEnded)
        await died(place, pid)
    assert len(listener.of("abcde", TrialEnded)) == 1
    assert not place.remote.parent.exists()


async def test_closing_without_the_machine_leaves_the_rest_to_the_next_manager(
    place: SshPlace, server: SshServer, listener: HostListener
) -> None:
    again = HostListener()
    async with listener.serve(place, "sleep 1; exit 3"):
        listener.host.submit(trial())
        await listener.next("abcde", TrialStarted)
        server.stop()
        await listener.changed(1)
    assert not listener.of("abcde", TrialEnded)
    server.start()
    async with again.serve(place, "false"):
        again.host.adopt("abcde", 0, 0)
        assert (await again.next("abcde", TrialEnded)).exit_code == 3
    assert not place.remote.parent.exists()


async def test_a_machine_that_is_just_back_is_cleaned_up(
    place: SshPlace, server: SshServer, listener: HostListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next try may be a minute away when its host is let go."""
    monkeypatch.setattr(reconnecting, "FIRST_PAUSE", 1000.0)
    async with listener.serve(place, "exit 3"):
        listener.host.submit(trial())
        await listener.next("abcde", TrialEnded)
        server.stop()
        await listener.changed(1)
        server.start()
    assert listener.changes() == [False, True]
    assert not place.remote.parent.exists()


async def started_later(host: Any) -> None:
    """Starts a host whose machine is away."""
    with pytest.raises(HostAwayError) as caught:
        await host.start()
    caught.value.start_later()


async def test_a_machine_that_is_away_at_the_start_is_waited_for(
    place: SshPlace, server: SshServer, listener: HostListener
) -> None:
    """Its trials are adopted when it is back, and what they reported comes once."""
    place.write_code("wait.py", WAITING)
    again = HostListener()
    async with listener.serve(place, f"{PYTHON} wait.py"):
        for name in ("abcde", "other"):
            listener.host.submit(trial(name))
            await listener.next(name, TrialReported)
        server.stop()
    again.host = place.service(f"{PYTHON} wait.py", again.emit)
    await started_later(again.host)
    try:
        (away,) = [event for event in again.seen if isinstance(event, HostChanged)]
        assert not away.reachable and away.at <= time.time() and away.reason
        again.host.adopt("abcde", 0, listener.of("abcde", TrialReported)[-1].end_offset)
        again.host.submit(trial("other"))  # the manager before died before it knew that it runs
        again.host.submit(trial("new"))
        place.write_code("go", "")
        server.start()
        for name in ("abcde", "other", "new"):
            assert (await again.next(name, TrialEnded)).exit_code == 0
    finally:
        await again.host.close()
    assert (again.values("abcde"), again.values("other")) == (["last"], ["ready", "last"])
    assert again.values("new") == ["ready", "last"]
    assert not place.remote.parent.exists()


async def test_a_machine_that_stays_away_after_the_start_loses_its_trials(
    place: SshPlace, server: SshServer, listener: HostListener
) -> None:
    """The time counts from when it was reached last, by an earlier manager."""
    again = HostListener()
    async with listener.serve(place, STUBBORN):
        listener.host.submit(trial())
        pid = int(await remote_file(place.remote / "trials/abcde/pid"))
        server.stop()
        await listener.changed(1)
    (seen,) = place.experiment.glob("hosts/*.seen")
    os.utime(seen, (time.time() - 500, time.time() - 500))
    again.host = place.service(STUBBORN, again.emit, unreachable_limit=400.0)
    await started_later(again.host)
    try:
        again.host.adopt("abcde", 0, 0)
        assert (await again.next("abcde", TrialEnded)).problem.startswith("loopback was unreachable for 8.3")
        assert place.is_alive(pid)
        server.start()
        await died(place, pid)
    finally:
        await again.host.close()
    assert not place.remote.parent.exists()


async def test_a_trial_that_waits_for_a_machine_is_canceled(
    place: SshPlace, server: SshServer, listener: HostListener
) -> None:
    server.stop()
    listener.host = place.service("sleep 1000", listener.emit)
    await started_later(listener.host)
    try:
        listener.host.submit(trial())
        listener.host.cancel("abcde", 0)
        server.start()
        assert "never started" in (await listener.next("abcde", TrialEnded)).problem
    finally:
        await listener.host.close()
