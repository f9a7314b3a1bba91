"""What trials of looping scripts leave on a machine behind SSH is fetched after their ends are told."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from nni_manager.engine.events import TrialEnded
from nni_manager.testing.ssh_place import SshPlace
from nni_manager.testing.ssh_server import SshServer, ssh_server
from nni_manager.testing.training_service import PYTHON, Listener, started, trial
from nni_manager.training.ssh import behind

LOOP = f"""{PYTHON} -c '
import os, nni
while nni.get_next_parameter() is not None:
    print("said by", nni.get_trial_id(), flush=True)
    with open(os.path.join(os.environ["NNI_OUTPUT_DIR"], "model"), "w") as file:
        file.write(nni.get_trial_id())
    nni.report_final_result(1)
'"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def place(tmp_path: Path, server: SshServer) -> Iterator[SshPlace]:
    place = SshPlace(tmp_path, server, reuse_mode=True)
    yield place
    assert place.left() == []
    shutil.rmtree(server.home() / "nni-experiments", ignore_errors=True)


@pytest.fixture
async def listener() -> Listener:
    return Listener()


def names(count: int) -> list[str]:
    return [f"abcd{chr(ord('a') + number)}" for number in range(count)]


def are_fetched(place: SshPlace, trial_ids: list[str]) -> bool:
    trials = place.experiment / "trials"
    return all(
        (trials / name / "model").read_text() == name
        and f"said by {name}" in (trials / name / "stdout").read_text()
        and (trials / name / ".nni/0/reports.jsonl").exists()
        for name in trial_ids
    )


async def run(place: SshPlace, listener: Listener, trial_ids: list[str]) -> None:
    async with started(place.service(LOOP, listener.emit)) as service:
        for name in trial_ids:
            service.submit(trial(name, parameters={}))
            await listener.next(name, TrialEnded)


async def test_files_of_all_are_here_in_the_end(place: SshPlace, listener: Listener) -> None:
    await run(place, listener, names(8))
    assert are_fetched(place, names(8))
    assert not place.remote.parent.exists()


async def test_files_come_while_the_script_goes_on(place: SshPlace, listener: Listener) -> None:
    async with started(place.service(LOOP, listener.emit)) as service:
        service.submit(trial(parameters={}))
        await listener.next("abcde", TrialEnded)
        note = place.experiment / "trials/abcde/.nni/0/ended.json"
        while not note.exists() or (place.remote / "trials/abcde/model").exists():
            await asyncio.sleep(0.01)
        assert are_fetched(place, ["abcde"])


async def test_an_end_waits_while_too_many_files_are_behind(
    place: SshPlace, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(behind, "MOST_BEHIND", 0)
    async with started(place.service(LOOP, listener.emit)) as service:
        service.submit(trial(parameters={}))
        await listener.next("abcde", TrialEnded)
        assert are_fetched(place, ["abcde"])


async def test_what_a_manager_left_behind_is_fetched_by_the_next(
    place: SshPlace, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(behind, "CLOSING_SECONDS", 0.0)
        patch.setattr(behind.FilesBehind, "_deal_with", lambda self, ends: asyncio.Event().wait())
        await run(place, listener, names(3))
    assert not (place.experiment / "trials" / names(1)[0] / "model").exists()
    async with started(place.service(LOOP, listener.emit)):
        pass
    assert are_fetched(place, names(3))
    assert not place.remote.parent.exists()
