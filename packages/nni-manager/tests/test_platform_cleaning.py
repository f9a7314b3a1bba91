"""What an experiment left on a platform is found, stopped and removed, and nothing of another one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nni_config import ExperimentConfig
from nni_manager.engine.effects import SaveExperiment
from nni_manager.engine.records import ExperimentRecord
from nni_manager.engine.statuses import ExperimentStatus
from nni_manager.server.platform_cleaning import clean
from nni_manager.shared_storage.mounted_files import MountedFiles
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.job_place import QUICK
from nni_manager.training.jobs.names import JobNames, storage_folder
from nni_manager.training.jobs.platform import JobOrder
from nni_manager.training.openpai.making import make_openpai_platform
from openpai_stand_in import OpenPaiStandIn

PACE = replace(QUICK, start_tries=2)
MARKED, OTHER = "x1234567", "y7654321"


class Cluster:
    """A stand-in on which experiments left jobs and files, and the folders of some of them."""

    def __init__(self, folder: Path, stand_in: OpenPaiStandIn) -> None:
        self.folder = folder
        self.mount = folder / "mount"
        self.stand_in = stand_in
        self.config = folder / "config.yml"
        self.config.write_text(json.dumps(self.settings()))

    def settings(self) -> dict[str, Any]:
        service = {
            **{"platform": "openpai", "host": self.stand_in.address, "username": "ada", "token": "sesame"},
            **{"trialCpuNumber": 1, "trialGpuNumber": 0, "trialMemorySize": "1gb"},
            **{"storageConfigName": "data", "localStorageMountPoint": str(self.mount)},
            "containerStorageMountPoint": str(self.mount),
        }
        tuner = {"name": "Random"}
        space = {"x": {"_type": "uniform", "_value": [0, 1]}}
        rules = {"trialCommand": "true", "trialCodeDirectory": str(self.folder), "trialConcurrency": 1}
        return {
            **rules,
            "trialGpuNumber": 0,
            "searchSpace": space,
            "tuner": tuner,
            "trainingService": service,
        }

    async def leave(self, experiment_id: str, mark: str, *, recorded: bool = False) -> str:
        """Leaves a job and files of an experiment, and its folder if that is wanted; returns the job."""
        folder = self.folder / f"{experiment_id}{mark}" / experiment_id
        (folder / "db").mkdir(parents=True)
        if mark:
            (folder / "mark").write_text(mark)
        config = ExperimentConfig.load(self.config).canonical_copy()
        (service,) = config.training_services()
        platform = make_openpai_platform(config, service, experiment_id, folder)
        await platform.open()
        name = JobNames(experiment_id, mark).of_attempt("abcde", 0)
        await platform.submit(JobOrder(name, "sleep 1000"))
        platform.files.write(f"spool/{name}/orders.jsonl", b"12345")
        platform.files.write("trials/abcde/stdout", b"123")
        await platform.close()
        if recorded:
            storage = open_sqlite_storage(folder / "db" / "experiment.sqlite")
            record = ExperimentRecord(
                experiment_id, ExperimentStatus.STOPPED, config.to_dict(), "maximize", created_at=0.0
            )
            storage.commit([SaveExperiment(record)])
            storage.close()
        return name

    async def clean(self, experiment_id: str, mark: str | None, **question: bool) -> dict[str, Any]:
        """Asks for what an experiment left; without a mark its folder is gone."""
        folder = "" if mark is None else str(self.folder / f"{experiment_id}{mark}" / experiment_id)
        asked = {"same_id": False, "files": False, "dry_run": False} | question
        answer = await clean(
            {"experiment_id": experiment_id, "folder": folder, "config": str(self.config), **asked}, PACE
        )
        (service,) = answer["services"]
        assert service["problem"] == ""
        return service

    @property
    def running(self) -> set[str]:
        return {name for name, job in self.stand_in.jobs.items() if not job.ended.is_set()}

    def files(self, experiment_id: str, mark: str) -> list[str]:
        folder = storage_folder(experiment_id, self.folder / f"{experiment_id}{mark}" / experiment_id)
        return MountedFiles(self.mount / "nni" / folder).names()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "mount").mkdir()
    with OpenPaiStandIn(tmp_path / "pai", {"data": tmp_path / "mount"}) as stand_in:
        yield Cluster(tmp_path, stand_in)


def names(service: dict[str, Any]) -> set[str]:
    return {job["name"] for job in service["jobs"]}


async def test_the_jobs_of_one_experiment_are_stopped_and_no_others(cluster: Cluster) -> None:
    mine = await cluster.leave("a", MARKED)
    others = {
        await cluster.leave("a", OTHER),
        await cluster.leave("a", ""),
        await cluster.leave("a_b", MARKED),
        await cluster.leave("a_b", ""),
    }
    assert names(await cluster.clean("a", MARKED, dry_run=True)) == {mine}
    assert cluster.running == {mine} | others
    assert names(await cluster.clean("a", MARKED)) == {mine}
    assert cluster.running == others


@pytest.mark.parametrize("folder_is_gone", [True, False], ids=["no-folder", "same-id"])
async def test_all_experiments_with_an_id_are_meant_without_a_mark(
    cluster: Cluster, folder_is_gone: bool
) -> None:
    mine = {await cluster.leave("a", mark) for mark in (MARKED, OTHER, "")}
    other = await cluster.leave("a_b", MARKED)
    service = await cluster.clean("a", None if folder_is_gone else MARKED, same_id=True, files=True)
    assert names(service) == mine
    assert cluster.running == {other}
    found = {part["name"]: part["bytes"] for part in service["files"]}
    assert found == {
        **{"spool": 5, "trials": 3, f"{MARKED}/spool": 5, f"{MARKED}/trials": 3},
        **{f"{OTHER}/spool": 5, f"{OTHER}/trials": 3},
    }
    assert not (cluster.mount / "nni" / "a").exists()
    assert len(cluster.files("a_b", MARKED)) == 2


@pytest.mark.parametrize("mark", [MARKED, ""], ids=["marked", "from-before"])
async def test_files_are_told_and_removed_when_that_is_wanted(cluster: Cluster, mark: str) -> None:
    for each in (MARKED, ""):
        await cluster.leave("a", each)
    other = OTHER if mark else MARKED
    if other == OTHER:
        await cluster.leave("a", OTHER)
    expected = [{"name": "spool", "count": 1, "bytes": 5}, {"name": "trials", "count": 1, "bytes": 3}]
    for question in ({"dry_run": True}, {"dry_run": True, "files": True}, {}):
        assert (await cluster.clean("a", mark, **question))["files"] == expected
    assert (await cluster.clean("a", mark, files=True))["files"] == expected
    assert (await cluster.clean("a", mark, files=True))["files"] == []
    assert len(cluster.files("a", other)) == 2, "what others with this id have stays"


async def test_files_of_jobs_that_do_not_end_stay(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nni_manager.server.platform_cleaning.ENDING_SECONDS", 0.0)
    name = await cluster.leave("a", MARKED)
    folder = str(cluster.folder / f"a{MARKED}" / "a")
    question = {"experiment_id": "a", "folder": folder, "config": str(cluster.config), "files": True}
    answer = await clean({**question, "same_id": False, "dry_run": False}, PACE)
    assert answer["services"][0]["problem"] == f"these are being stopped and have not ended: {name}"
    assert len(cluster.files("a", MARKED)) == 2


async def test_the_record_says_where_it_ran(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = await cluster.leave("a", MARKED, recorded=True)
    folder = str(cluster.folder / f"a{MARKED}" / "a")
    question = {"experiment_id": "a", "folder": folder, "same_id": False, "files": True, "dry_run": False}
    assert "NNI_SECRET_TRAINING_SERVICE_TOKEN" in (await clean(question, PACE))["problem"]
    monkeypatch.setenv("NNI_SECRET_TRAINING_SERVICE_TOKEN", "sesame")
    (service,) = (await clean(question, PACE))["services"]
    assert names(service) == {mine}
    assert cluster.files("a", MARKED) == []


async def test_a_broken_mark_stops_nothing(cluster: Cluster) -> None:
    mine = await cluster.leave("a", MARKED)
    folder = cluster.folder / f"a{MARKED}" / "a"
    (folder / "mark").write_text("broken")
    question = {"experiment_id": "a", "folder": str(folder), "config": str(cluster.config)}
    answer = await clean({**question, "same_id": False, "files": True, "dry_run": False}, PACE)
    assert f"{folder}/mark holds 'broken'" in answer["problem"]
    assert cluster.running == {mine}
