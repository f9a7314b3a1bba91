"""What an experiment was made of, with simulated trials and algorithms."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from pathlib import Path

import pytest
from nni_config import ExperimentConfig
from nni_config.algorithm import CustomAlgorithmConfig
from nni_manager.engine.records import ExperimentOrigin
from nni_manager.engine.statuses import ExperimentStatus, TrialStatus
from nni_manager.experiments import errors, origin_keeper
from nni_manager.experiments.parts import Parts
from nni_manager.experiments.service import ExperimentService
from nni_manager.experiments.view_service import open_view
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.simulated_algorithm import SimulatedAlgorithm
from nni_manager.testing.simulated_training import SimulatedTrainingService


class Bench:
    """A service, the code of its trials, and the parts it made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.code = folder / "code"
        self.code.mkdir()
        (self.code / "train.py").write_text("first")
        self.service = ExperimentService(folder / "experiments", self._parts())
        self.config = ExperimentConfig("local")
        self.config.search_space = {"x": {"_type": "uniform", "_value": [0, 1]}}
        self.config.trial_command = "true"
        self.config.trial_code_directory = self.code
        self.config.trial_concurrency = 1
        self.config.tuner.name = "Random"

    def _parts(self) -> Parts:
        def make_training(config, experiment_id, experiment_folder, emit):
            self.trained_with = config
            self.training = SimulatedTrainingService(emit, None)
            return self.training

        def make_algorithm(settings, emit):
            self.settings = settings
            return SimulatedAlgorithm(settings, emit)

        return Parts(open_sqlite_storage, make_training, make_algorithm, lambda experiment, trial: {})

    async def run(self) -> None:
        await self.service.create(self.config.canonical_copy(), "e1", "r1")
        await self.service.start("e1")

    async def until(self, condition):
        """Follows the experiment until a condition on its record holds, and returns the record."""
        async for _ in self.service.watch("e1", 0, False):
            record = (await self.service.get("e1")).record
            if condition(record):
                return record
        raise AssertionError("the watch ended")

    async def next_trial(self) -> None:
        """Ends the trial that runs, and waits for the next one."""
        (running,) = await self.service.trials("e1", -1, 10, [TrialStatus.RUNNING])
        record = running.stored.record
        await self.service.cancel_trial("e1", record.trial_id)
        async for _ in self.service.watch("e1", 0, False):
            found = await self.service.trials("e1", record.sequence_number, 10, [TrialStatus.RUNNING])
            if found:
                return


@pytest.fixture
async def bench(tmp_path, monkeypatch):
    monkeypatch.setattr(origin_keeper, "_LEAST_SECONDS_BETWEEN_LOOKS", 0.0)
    monkeypatch.setattr(origin_keeper, "_SECONDS_UNTIL_QUIET", 0.0)
    made = Bench(tmp_path)
    yield made
    await made.service.close(by_user=False, message="test over")


async def test_the_origin_is_recorded_and_read_again(bench):
    await bench.run()
    record = await bench.until(lambda record: record.origin.code_hash)
    origin = record.origin
    assert len(origin.code_hash) == 64
    assert (origin.git_commit, origin.git_is_dirty) == ("", None)
    assert {"python", "nni-manager", "nni-config", "numpy"} <= set(origin.package_versions)
    assert bench.settings.class_args["seed"] == origin.seed
    await bench.service.stop("e1")
    view = open_view(bench.folder / "experiments", "e1", lambda path: open_sqlite_storage(path, True))
    assert (await view.get("e1")).record.origin == origin
    await view.close(by_user=False, message="")


async def test_an_experiment_that_is_stopped_at_once_has_its_origin(bench, monkeypatch):
    monkeypatch.setattr(origin_keeper, "_SECONDS_UNTIL_QUIET", 1000.0)
    monkeypatch.setattr(origin_keeper, "_SECONDS_TO_FINISH", 100.0)
    await bench.run()
    view = await bench.service.stop("e1")
    assert view.record.status is ExperimentStatus.STOPPED
    assert len(view.record.origin.code_hash) == 64


async def test_the_end_does_not_wait_for_a_folder_that_takes_long(bench, monkeypatch):
    monkeypatch.setattr(origin_keeper, "_SECONDS_TO_FINISH", 0.01)

    async def never(folder):
        await asyncio.Event().wait()

    monkeypatch.setattr(origin_keeper, "git_state", never)
    await bench.run()
    view = await bench.service.stop("e1")
    assert view.record.origin == ExperimentOrigin(seed=view.record.origin.seed)


@pytest.mark.parametrize(("name", "given"), [("Random", 7), ("TPE", 0)])
async def test_a_given_seed_is_kept(bench, name, given):
    bench.config.tuner.name = name
    bench.config.tuner.class_args = {"seed": given}
    await bench.run()
    assert (await bench.service.get("e1")).record.origin.seed == given
    assert bench.settings.class_args["seed"] == given


async def test_each_experiment_has_another_seed(tmp_path):
    seeds = set()
    for name in "abc":
        (tmp_path / name).mkdir()
        bench = Bench(tmp_path / name)
        await bench.service.create(bench.config, "e1", "r1")
        seeds.add((await bench.service.get("e1")).record.origin.seed)
        await bench.service.close(by_user=False, message="test over")
    assert len(seeds) == 3


@pytest.mark.parametrize(("class_args", "seed"), [({}, None), ({"seed": 5}, 5), ({"seed": "x"}, None)])
async def test_a_tuner_of_the_user_s_own_is_given_nothing(bench, class_args, seed):
    bench.config.tuner = CustomAlgorithmConfig(class_name="my.Tuner", class_args=class_args)
    await bench.run()
    assert (await bench.service.get("e1")).record.origin.seed == seed
    assert (bench.settings.class_args or {}) == class_args


async def test_changed_code_is_warned_about_once(bench, caplog):
    await bench.run()
    await bench.until(lambda record: record.origin.code_hash)
    (bench.code / "train.py").write_text("second")
    with caplog.at_level(logging.WARNING):
        await bench.next_trial()
        record = await bench.until(lambda record: record.warnings)
        (bench.code / "train.py").write_text("the third")
        await bench.next_trial()
        await bench.next_trial()
    (warning,) = record.warnings
    assert "train.py" in warning and ".nniignore" in warning and str(bench.code) in warning
    assert (await bench.service.get("e1")).record.warnings == record.warnings
    assert caplog.text.count("changed or went") == 1


async def test_what_trials_write_and_a_touch_are_no_change(bench):
    await bench.run()
    await bench.until(lambda record: record.origin.code_hash)
    (bench.code / "checkpoint.pt").write_text("new")
    os.utime(bench.code / "train.py", (1, 1))
    for _ in range(3):
        await bench.next_trial()
    assert (await bench.service.get("e1")).record.warnings == ()


async def test_trials_run_in_a_snapshot(bench):
    bench.config.snapshot_code = True
    await bench.run()
    copy = bench.folder / "experiments" / "e1" / "code"
    service = bench.trained_with.training_service
    assert bench.trained_with.trial_code_directory == service.trial_code_directory == str(copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o700
    await bench.until(lambda record: record.origin.code_hash)
    (bench.code / "train.py").write_text("second")
    await bench.next_trial()
    await bench.next_trial()
    record = (await bench.service.get("e1")).record
    assert record.warnings == ()
    assert record.config["trialCodeDirectory"] == str(bench.code)
    assert (copy / "train.py").read_text() == "first"


async def test_code_that_cannot_be_copied_ends_the_start(bench):
    bench.config.snapshot_code = True
    (bench.code / "up").symlink_to("..")
    await bench.service.create(bench.config.canonical_copy(), "e1", "r1")
    with pytest.raises(errors.InvalidConfigError, match=r"link '.*/code/up' .*\.nniignore"):
        await bench.service.start("e1")
    assert (await bench.service.get("e1")).record.status is ExperimentStatus.ERROR
    assert not (bench.folder / "experiments" / "e1" / "code").exists()
