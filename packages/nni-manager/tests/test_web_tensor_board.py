from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from nni_manager.engine.effects import SaveExperiment, SaveTrial
from nni_manager.engine.records import ExperimentRecord, TrialRecord
from nni_manager.engine.statuses import ExperimentStatus, ParameterSource, TrialStatus
from nni_manager.experiments.folder import ExperimentFolder, make_folder
from nni_manager.rpc.access import Role
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing import fake_tensorboard
from nni_manager.testing.running_port import RunningPort, running_port

NAME = "experiments/ended"


def record_experiment(directory: Path) -> ExperimentFolder:
    """Makes an experiment of three trials, of which the first two have logs."""
    folder = ExperimentFolder(directory / "ended")
    make_folder(folder)
    storage = open_sqlite_storage(folder.database)
    trials = [
        TrialRecord(f"trial{n}", n, TrialStatus.SUCCEEDED, 0, n, ParameterSource.ALGORITHM, {}, 1.0)
        for n in range(3)
    ]
    record = ExperimentRecord("ended", ExperimentStatus.STOPPED, {"searchSpace": {}}, "maximize", 1.0)
    storage.commit([SaveExperiment(record), *map(SaveTrial, trials)])
    storage.close()
    for number in range(3):
        (folder.trials_directory / f"trial{number}").mkdir()
    for number in range(2):
        (folder.trials_directory / f"trial{number}" / "tensorboard").mkdir()
    (folder.trials_directory / "trial2" / "tensorboard").symlink_to("/")
    return folder


class Browser:
    """A signed-in browser, and what it can do without its page."""

    def __init__(self, port: RunningPort, client: httpx.AsyncClient) -> None:
        self.port = port
        self.client = client

    async def sign_in(self, role: Role = Role.MANAGER) -> None:
        await self.client.get("/sign-in", params={"code": self.port.codes.create(role).code})

    async def call(self, method: str, **fields: Any) -> Any:
        answer = await self.client.post(f"/nni_proto.v1.ExperimentService/{method}", json=fields)
        return answer.json() if answer.status_code == 200 else (answer.status_code, answer.json()["message"])

    async def board(self, *trials: str) -> str:
        named = [f"{NAME}/trials/{trial}" for trial in trials]
        created = await self.call("CreateTensorBoard", parent=NAME, trials=named)
        path: str = created["tensorBoard"]["path"]
        return f"/{path}"


@pytest.fixture
async def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Browser]:
    fake_tensorboard.install(tmp_path / "packages")
    monkeypatch.syspath_prepend(tmp_path / "packages")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))
    record_experiment(tmp_path / "experiments")
    async with running_port(experiments_directory=tmp_path / "experiments") as port:
        base = f"http://127.0.0.1:{port.port}"
        async with httpx.AsyncClient(base_url=base, headers={"Origin": base}, timeout=30) as client:
            yield Browser(port, client)


async def test_it_is_started_listed_and_deleted(browser: Browser) -> None:
    await browser.sign_in()
    board = (await browser.call("CreateTensorBoard", parent=NAME, trials=[f"{NAME}/trials/trial1"]))[
        "tensorBoard"
    ]
    assert board["trials"] == [f"{NAME}/trials/trial1"]
    assert (await browser.client.get(f"/{board['path']}")).json()["runs"] == ["1-trial1"]
    assert await browser.call("ListTensorBoards", parent=NAME) == {"tensorBoards": [board]}
    assert await browser.call("DeleteTensorBoard", name=board["name"]) == {}
    assert await browser.call("DeleteTensorBoard", name=board["name"]) == {}
    assert await browser.call("ListTensorBoards", parent=NAME) == {}
    assert (await browser.client.get(f"/{board['path']}")).status_code == 404


async def test_all_trials_with_logs_are_shown_and_links_that_lead_out_are_not_followed(
    browser: Browser,
) -> None:
    await browser.sign_in()
    path = await browser.board()
    assert (await browser.client.get(path)).json()["runs"] == ["0-trial0", "1-trial1"]


async def test_what_cannot_be_shown_is_said(browser: Browser) -> None:
    await browser.sign_in()
    code, text = await browser.call("CreateTensorBoard", parent=NAME, trials=[f"{NAME}/trials/trial2"])
    assert (code, "no trial has a folder tensorboard" in text) == (400, True)
    code, text = await browser.call("CreateTensorBoard", parent=NAME, trials=[f"{NAME}/trials/none"])
    assert (code, text) == (404, "the experiment has no trial 'none'")
    code, text = await browser.call("CreateTensorBoard", parent=NAME, trials=["experiments/o/trials/t"])
    assert (code, "is not a trial of experiment 'ended'" in text) == (400, True)
    code, text = await browser.call("DeleteTensorBoard", name=f"{NAME}/tensorBoards/../x")
    assert (code, "is not the name of a TensorBoard" in text) == (400, True)


async def test_a_request_goes_on_without_what_is_ours_and_comes_back_without_what_is_theirs(
    browser: Browser,
) -> None:
    await browser.sign_in()
    path = await browser.board()
    answer = await browser.client.post(f"{path}data/a%20b%3Fc?run=1&x=%2F", content=b"tags")
    told = answer.json()
    assert (told["method"], told["path"], told["body"]) == ("POST", "/data/a%20b%3Fc?run=1&x=%2F", "tags")
    sent = {name.lower() for name in told["headers"]}
    assert not sent & {"cookie", "origin", "authorization", "referer"}
    assert "set-cookie" not in answer.headers
    assert answer.headers["content-security-policy"].count("default-src 'none'") == 1
    assert "allow-popups" not in answer.headers["content-security-policy"]
    assert (await browser.client.head(path)).status_code == 200


async def test_only_who_is_signed_in_sees_it(browser: Browser) -> None:
    await browser.sign_in()
    path = await browser.board()
    browser.client.cookies.clear()
    assert (await browser.client.get(path)).status_code == 401
    assert (await browser.client.post(path)).status_code == 401
    await browser.sign_in(Role.VIEW)
    assert (await browser.client.get(path)).status_code == 200
    code, _ = await browser.call("CreateTensorBoard", parent=NAME)
    assert code == 403


async def test_pages_of_others_and_other_methods_are_refused(browser: Browser) -> None:
    await browser.sign_in()
    path = await browser.board()
    foreign = {"Origin": "http://evil.example"}
    assert (await browser.client.get(path, headers=foreign)).status_code == 403
    assert (await browser.client.get(path, headers={"Host": "evil.example"})).status_code == 403
    assert (await browser.client.delete(path)).status_code == 405


async def test_one_that_has_ended_says_why(browser: Browser) -> None:
    await browser.sign_in()
    path = await browser.board()
    answer = await browser.client.get(f"{path}end")
    assert answer.status_code == 502
    while (answer := await browser.client.get(path)).status_code != 502 or "it broke" not in answer.text:
        pass
    (listed,) = (await browser.call("ListTensorBoards", parent=NAME))["tensorBoards"]
    assert listed["problem"] == "TensorBoard ended with exit code 3\nit broke"
