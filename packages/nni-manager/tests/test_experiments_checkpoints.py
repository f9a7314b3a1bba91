"""Which checkpoints of trials are kept, and that the others go."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_config import AzureBlobConfig, ExperimentConfig
from nni_manager.engine.effects import SaveExperiment, SaveTrial
from nni_manager.engine.records import ExperimentRecord, TrialRecord
from nni_manager.engine.statuses import ExperimentStatus, ParameterSource, TrialStatus
from nni_manager.experiments.checkpoint_keeper import CheckpointKeeper, Retention
from nni_manager.experiments.checkpoint_retention import Checkpoint, removable, texts_of
from nni_manager.experiments.checkpoint_settings import retention_of
from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.shared_storage.interface import SharedStorageError
from nni_manager.shared_storage.mounted_files import MountedFiles
from nni_manager.storage.memory import MemoryStorage


def checkpoint(number: int, objective: float | None = None, ended: bool = True, **more: Any) -> Checkpoint:
    name = f"t{number}"
    return Checkpoint(
        name, number, float(number) if ended else None, objective, frozenset({name, f"/e/{name}"}), **more
    )


def left(checkpoints: list[Checkpoint], **rule: Any) -> list[str]:
    settings = {"keep_best": None, "keep_last": None, "optimize_mode": "maximize", **rule}
    gone = {it.trial_id for it in removable(checkpoints, **settings)}
    return [it.trial_id for it in checkpoints if it.trial_id not in gone]


FIVE = [checkpoint(number, value) for number, value in enumerate([3.0, 9.0, 1.0, None, 5.0])]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, ["t0", "t1", "t2", "t3", "t4"]),
        ({"keep_best": 2}, ["t1", "t4"]),
        ({"keep_best": 2, "optimize_mode": "minimize"}, ["t0", "t2"]),
        ({"keep_last": 2}, ["t3", "t4"]),
        ({"keep_best": 1, "keep_last": 2}, ["t1", "t3", "t4"]),
        ({"keep_best": 9}, ["t0", "t1", "t2", "t4"]),
        ({"keep_last": 9}, ["t0", "t1", "t2", "t3", "t4"]),
    ],
)
def test_the_best_and_the_last_are_kept(rule: dict[str, Any], expected: list[str]) -> None:
    assert left(FIVE, **rule) == expected


def test_of_equals_the_earlier_is_the_better() -> None:
    assert left([checkpoint(0, 1.0), checkpoint(1, 1.0)], keep_best=1) == ["t0"]


@pytest.mark.parametrize("text", ["/e/t0", "/e/t0/checkpoints/model.pt", "t0"])
def test_what_a_trial_names_that_has_not_ended_is_kept(text: str) -> None:
    running = checkpoint(9, ended=False, mentions=texts_of({"start": {"from": [text]}}))
    assert left([*FIVE, running], keep_last=1) == ["t0", "t4", "t9"]
    ended = checkpoint(9, mentions=frozenset({text}))
    assert left([*FIVE, ended], keep_last=1) == ["t9"]


@pytest.mark.parametrize("text", ["/e/t01", "/e", "/", "/other/t0", "t00"])
def test_other_texts_keep_nothing(text: str) -> None:
    running = checkpoint(9, ended=False, mentions=frozenset({text}))
    assert left([*FIVE, running], keep_last=1) == ["t4", "t9"]


def test_of_a_population_the_newest_two_generations_and_what_they_loaded_are_kept() -> None:
    population = [
        checkpoint(number, mentions=frozenset({f"/e/t{load}"}), generation=generation)
        for number, (load, generation) in enumerate(
            [(0, 0), (1, 0), (0, 1), (0, 1), (2, 2), (2, 2), (4, 3), (4, 3)]
        )
    ]
    rule = {"keep_last": 1, "newest_generation": 3}
    # Generation 2 has ended and loaded t2; 3 is the newest.
    assert left(population, **rule) == ["t2", "t4", "t5", "t6", "t7"]


@given(
    st.lists(
        st.tuples(st.booleans(), st.none() | st.floats(-9, 9), st.none() | st.integers(0, 15)), max_size=16
    ),
    st.none() | st.integers(1, 5),
    st.none() | st.integers(1, 5),
    st.sampled_from(["maximize", "minimize"]),
)
def test_never_too_many_and_never_what_is_needed(
    trials: list[tuple[bool, float | None, int | None]], best: int | None, last: int | None, mode: str
) -> None:
    checkpoints = [
        checkpoint(
            number, objective, ended, mentions=frozenset() if load is None else frozenset({f"/e/t{load}"})
        )
        for number, (ended, objective, load) in enumerate(trials)
    ]
    gone = {it.trial_id for it in removable(checkpoints, keep_best=best, keep_last=last, optimize_mode=mode)}
    running = [it for it in checkpoints if it.ended_at is None]
    needed = {text.removeprefix("/e/") for it in running for text in it.mentions}
    assert not gone & ({it.trial_id for it in running} | needed)
    kept = [it for it in checkpoints if it.ended_at is not None and it.trial_id not in gone | needed]
    if best is None and last is None:
        assert not gone
    else:
        assert len(kept) <= (best or 0) + (last or 0)
        ranked = [it.objective for it in checkpoints if it.ended_at is not None and it.objective is not None]
        if best and ranked:
            top = max(ranked) if mode == "maximize" else min(ranked)
            assert top in [it.objective for it in checkpoints if it.trial_id not in gone]
    assert len(gone) == len(set(gone))


# The keeper


def trial(number: int, status: TrialStatus = TrialStatus.SUCCEEDED, **more: Any) -> TrialRecord:
    record = TrialRecord(f"t{number}", number, status, 0, number, ParameterSource.ALGORITHM, {}, 0.0)
    ended = float(number) if status.is_final else None
    return replace(record, **{"ended_at": ended, "objective": float(number), **more})


class Experiment:
    def __init__(
        self,
        folder: Path,
        population: tuple[str, Path] | None = None,
        container: Any = None,
        **rule: int,
    ) -> None:
        self.trials = folder / "trials"
        self.trials.mkdir()
        self.storage = MemoryStorage()
        record = ExperimentRecord("e", ExperimentStatus.RUNNING, {}, "maximize", 0.0)
        self.storage.commit([SaveExperiment(record)])
        self.changed = asyncio.Event()
        rules = {"keep_best": None, "keep_last": None, **rule}
        retention = Retention(
            **rules,
            optimize_mode="maximize",
            homes=(self.trials,),
            population=population,
            containers=() if container is None else (container,),
        )
        self.keeper = CheckpointKeeper(
            retention, self.storage, lambda: self.changed, lambda trial_id: f"/remote/trials/{trial_id}"
        )

    def save(self, *records: TrialRecord) -> None:
        self.storage.commit([SaveTrial(record) for record in records])
        self.changed.set()
        self.changed = asyncio.Event()

    def write(self, number: int, size: int = 1) -> Path:
        folder = self.trials / f"t{number}" / "checkpoints"
        folder.mkdir(parents=True)
        with (folder / "model").open("wb") as file:
            file.truncate(size)
        (folder.parent / "stdout").touch()
        return folder

    def left(self) -> list[int]:
        return sorted(int(path.parent.name[1:]) for path in self.trials.glob("*/checkpoints"))


def test_two_hundred_trials_leave_the_checkpoints_of_the_best(tmp_path: Path) -> None:
    """Row 189 of the field reports: 200 trials with checkpoints of 10 MB."""
    experiment = Experiment(tmp_path, keep_best=3, keep_last=2)
    most = 0
    for number in range(200):
        experiment.write(number, size=10_000_000)
        experiment.save(trial(number, objective=float((number * 37) % 200)))
        experiment.keeper.look()
        most = max(most, len(experiment.left()))
    best = sorted(range(200), key=lambda number: (number * 37) % 200)[-3:]
    assert experiment.left() == sorted({*best, 198, 199})
    assert most <= 5
    assert len(list(experiment.trials.glob("*/stdout"))) == 200


def test_a_running_trial_keeps_its_checkpoint_until_it_has_ended(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, keep_last=1)
    for number in range(3):
        experiment.write(number)
    experiment.save(trial(0, TrialStatus.RUNNING), trial(1), trial(2))
    experiment.keeper.look()
    assert experiment.left() == [0, 2]
    experiment.save(trial(0, ended_at=0.5))
    experiment.keeper.look()
    assert experiment.left() == [2]


def test_what_a_waiting_trial_names_as_its_machine_does_is_kept(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, keep_last=1)
    for number in range(3):
        experiment.write(number)
    waiting = trial(3, TrialStatus.WAITING, parameters={"start": "/remote/trials/t0/checkpoints/model"})
    experiment.save(trial(0), trial(1), trial(2), waiting)
    experiment.keeper.look()
    assert experiment.left() == [0, 2]


def test_another_keeper_goes_on(tmp_path: Path) -> None:
    first = Experiment(tmp_path, keep_best=1)
    for number in range(4):
        first.write(number)
        first.save(trial(number))
    retention = Retention(1, None, "maximize", (first.trials,))
    CheckpointKeeper(retention, first.storage, lambda: first.changed, str).look()
    assert first.left() == [3]


def test_links_are_left_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside" / "checkpoints"
    outside.mkdir(parents=True)
    (outside / "precious").touch()
    experiment = Experiment(tmp_path, keep_last=1)
    (experiment.trials / "t0").mkdir()
    (experiment.trials / "t0" / "checkpoints").symlink_to(outside)
    (experiment.trials / "t1").symlink_to(outside.parent)
    experiment.write(2)
    (experiment.write(3) / "link").symlink_to(outside)
    experiment.write(4)
    experiment.save(*(trial(number) for number in range(5)))
    experiment.keeper.look()
    assert (outside / "precious").exists()
    assert not (experiment.trials / "t2" / "checkpoints").exists()
    assert not (experiment.trials / "t3" / "checkpoints").exists()


def test_a_population_keeps_what_it_goes_on_from(tmp_path: Path) -> None:
    place = tmp_path / "checkpoint"
    experiment = Experiment(tmp_path, population=("/shared/pbt", place), keep_best=1)

    def member(number: int, generation: int, index: int, load: int, **more: Any) -> TrialRecord:
        (place / str(index) / str(generation)).mkdir(parents=True, exist_ok=True)
        parameters = {
            "load_checkpoint_dir": f"/shared/pbt/{index}/{load}",
            "save_checkpoint_dir": f"/shared/pbt/{index}/{generation}",
        }
        return trial(number, **{"parameters": parameters, "objective": -float(number), **more})

    for generation in range(4):
        for index in range(2):
            number = 2 * generation + index
            experiment.save(member(number, generation, index, max(generation - 1, 0)))
            experiment.keeper.look()
    found = sorted(str(path.relative_to(place)) for path in place.glob("*/*"))
    # 0/0 is the best of all; generations 2 and 3 are the newest, and 2 has loaded 1.
    assert found == ["0/0", "0/1", "0/2", "0/3", "1/1", "1/2", "1/3"]
    outside = tmp_path / "5" / "0"
    outside.mkdir(parents=True)
    evil = {"save_checkpoint_dir": "/shared/pbt/../5/0", "load_checkpoint_dir": "/shared/pbt/../5/0"}
    experiment.save(trial(90, parameters=evil, objective=-99.0))
    experiment.keeper.look()
    assert outside.exists()


def test_what_cannot_be_removed_is_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    experiment = Experiment(tmp_path, keep_last=1)
    experiment.write(0)
    experiment.write(1)
    experiment.save(trial(0), trial(1))
    with monkeypatch.context() as patched:

        def refuse(path: Path) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        patched.setattr("shutil.rmtree", refuse)
        experiment.keeper.look()
        experiment.keeper.look()
    assert caplog.text.count("the checkpoint of trial t0 cannot be removed, trying again") == 1
    experiment.keeper.look()
    assert experiment.left() == [1]


def test_copies_in_a_container_go_too_and_before_those_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    container = MountedFiles(tmp_path / "container")
    experiment = Experiment(tmp_path, container=container, keep_best=1)
    for number in range(3):
        experiment.write(number)
        for name in ("checkpoints/model", "stdout"):
            container.write(f"trials/t{number}/{name}", b"")
    experiment.save(trial(0), trial(1), trial(2, TrialStatus.RUNNING))
    with monkeypatch.context() as patched:

        def refuse(self: MountedFiles, name: str) -> None:
            raise SharedStorageError(f"{name} cannot be removed: no answer")

        patched.setattr(MountedFiles, "remove", refuse)
        experiment.keeper.look()
        experiment.keeper.look()
    assert experiment.left() == [0, 1, 2], "the next manager would not know of the copy otherwise"
    assert (
        caplog.text.count("the checkpoint of trial t0 cannot be removed, trying again: trials/t0/check") == 1
    )
    experiment.keeper.look()
    assert experiment.left() == [1, 2]
    left = [name for name in container.names() if "checkpoints" in name]
    assert left == ["trials/t1/checkpoints/model", "trials/t2/checkpoints/model"]
    assert "trials/t0/stdout" in container.names()


async def test_it_looks_after_commits_and_once_more_at_the_end(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, keep_last=1)
    experiment.keeper.begin()
    experiment.write(0)
    experiment.write(1)
    experiment.save(trial(0), trial(1))
    while experiment.left() != [1]:
        await asyncio.sleep(0.01)
    experiment.write(2)
    experiment.save(trial(2))
    await experiment.keeper.close()
    assert experiment.left() == [2]
    await experiment.keeper.close()


def test_trials_that_save_nothing_are_not_remembered(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, keep_best=1)
    experiment.save(*(trial(number) for number in range(50)))
    experiment.keeper.look()
    assert experiment.keeper._checkpoints == {} and not [*experiment.trials.iterdir()]


@pytest.mark.parametrize(("mark", "count"), [("x1234567", 2), ("", 1)])
def test_copies_of_jobs_and_of_machines_are_looked_for(tmp_path: Path, mark: str, count: int) -> None:
    """In a container both have a folder of their own, since jobs of two experiments may meet there."""
    if mark:
        (tmp_path / "mark").write_text(mark)
    config = ExperimentConfig("local", keep_best_checkpoints=1)
    config.shared_storage = AzureBlobConfig(
        local_mount_point="/nowhere",
        remote_mount_point="/nowhere",
        local_mounted="nomount",
        storage_account_name="account",
        storage_account_key="a2V5",
        container_name="container",
    )
    record = ExperimentRecord("e", ExperimentStatus.RUNNING, {}, "maximize", 0.0)
    retention = retention_of(config, record, ExperimentFolder(tmp_path))
    assert retention is not None
    assert len(retention.containers) == count
