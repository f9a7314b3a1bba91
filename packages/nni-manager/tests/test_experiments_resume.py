"""Managers one after another for one experiment, with simulated trials and algorithms, on both storages."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from nni_config import ExperimentConfig
from nni_config.algorithm import CustomAlgorithmConfig
from nni_manager.engine.effects import RequestParameters, TellFinalResult, TellImportedTrials, TellSearchSpace
from nni_manager.engine.events import ParametersProposed, Report, TrainingServiceFailed
from nni_manager.engine.statuses import Actor, ExperimentStatus, MetricKind, ParameterSource, TrialStatus
from nni_manager.experiments import errors, open_experiment, origin_keeper
from nni_manager.experiments.parts import Parts
from nni_manager.experiments.recording import reopen_experiment
from nni_manager.experiments.resumed_config import resumed_config
from nni_manager.experiments.service import ExperimentService
from nni_manager.experiments.views import ExperimentUpdate
from nni_manager.storage.memory import MemoryStorage
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.simulated_algorithm import SimulatedAlgorithm
from nni_manager.testing.simulated_training import SimulatedTrainingService, World
from nni_manager.tuning.interface import AlgorithmDied

SPACE = {"x": {"_type": "uniform", "_value": [0, 100]}}
WIDER = {"x": {"_type": "uniform", "_value": [0, 200]}}
PATIENCE = 20.0
RUNNING, DONE, ERROR = ExperimentStatus.RUNNING, ExperimentStatus.DONE, ExperimentStatus.ERROR


class KeptMemory(MemoryStorage):
    """A storage in memory that outlives its manager."""

    def close(self) -> None:
        pass


class Life:
    """An experiment, the manager that runs it, and the world of its trials.

    Attributes:
        code: The folder of its code.
        config: Its configuration.
        trials_behave: What trials do; None makes them wait.
        algorithm: How the algorithms are made.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.code = folder / "code"
        self.code.mkdir()
        (self.code / "train.py").write_text("first")
        self.world = World()
        self.trials_behave = lambda parameters: [parameters["x"] / 2, parameters["x"]]
        self.algorithm = {}
        self.config = ExperimentConfig("local", search_space=SPACE, trial_command="true")
        self.config.trial_code_directory = self.code
        self.config.trial_concurrency = 2
        self.config.tuner.name = "Random"
        self._storages = {}
        self._open = self._open_memory if kind == "memory" else open_sqlite_storage
        self.service = ExperimentService(folder, self._parts())

    async def start(self, **fields) -> None:
        for name, value in fields.items():
            setattr(self.config, name, value)
        await self.service.create(self.config, "e1", "r1")
        await self.service.start("e1")

    async def crash(self) -> None:
        """Lets the manager go without an end of anything."""
        experiment = self.service._experiment
        self.service.closed.set()
        self.training.closed = True
        await experiment.runner.close()
        await experiment._running.close()
        await experiment.close()

    def reopen(self) -> None:
        parts = self._parts()
        self.service = ExperimentService(self.folder, parts, reopen_experiment(self.folder, "e1", parts))

    async def resume(self, config=None):
        """Is the next manager."""
        self.reopen()
        return await self.service.resume("e1", config)

    async def until(self, condition):
        """Follows the experiment until a condition on (experiment, trials) holds; returns the trials."""
        trials = {}

        async def follow():
            async for change in self.service.watch("e1", 0, False):
                changed = [view.stored.record for view in change.trials]
                trials.update({trial.sequence_number: trial for trial in changed})
                record = (await self.service.get("e1")).record
                if condition(record, trials):
                    # What has been told may be older than the record.
                    views = await self.service.trials("e1", -1, 1000, ())
                    trials.update({view.stored.record.sequence_number: view.stored.record for view in views})
                    if condition(record, trials):
                        return
            raise AssertionError("the watch ended")

        try:
            await asyncio.wait_for(follow(), PATIENCE)
        except asyncio.TimeoutError:
            raise AssertionError((await self.record(), trials)) from None
        return list(trials.values())

    async def until_status(self, status):
        return await self.until(lambda experiment, trials: experiment.status is status)

    async def until_running(self, count, *, after=-1):
        """Waits until so many trials run whose numbers are above one, and returns them."""

        def wanted(trials):
            running = [one for one in trials if one.status is TrialStatus.RUNNING]
            return [one for one in running if one.sequence_number > after]

        return wanted(await self.until(lambda experiment, trials: len(wanted(trials.values())) == count))

    async def until_ended(self, trial):
        def has_ended(experiment, trials):
            seen = trials.get(trial.sequence_number)
            return seen is not None and seen.status.is_final

        await self.until(has_ended)

    async def values(self):
        metrics = await self.service.metrics("e1", None, 0, 1000, None)
        return [(one.record.kind.value[0], one.record.value) for one in metrics]

    async def record(self):
        return (await self.service.get("e1")).record

    def _parts(self) -> Parts:
        def make_training(config, experiment_id, experiment_folder, emit):
            self.trained_with = config
            self.training = SimulatedTrainingService(emit, self.trials_behave, self.world)
            return self.training

        def make_algorithm(settings, emit):
            made = SimulatedAlgorithm(settings, emit, **self.algorithm)
            if settings.kind == "tuner":
                self.tuner = made
            return made

        return Parts(self._open, make_training, make_algorithm, lambda experiment, trial: {"TOKEN": trial})

    def _open_memory(self, path):
        path.write_text("in memory")
        return self._storages.setdefault(path, KeptMemory())


async def no_git(folder):
    return "", None


@pytest.fixture(params=["memory", "sqlite"])
async def life(tmp_path, request, monkeypatch):
    monkeypatch.setattr(origin_keeper, "_LEAST_SECONDS_BETWEEN_LOOKS", 0.0)
    monkeypatch.setattr(origin_keeper, "_SECONDS_UNTIL_QUIET", 0.0)
    # What takes long to find out is no part of these stories.
    monkeypatch.setattr(origin_keeper, "package_versions", dict)
    monkeypatch.setattr(origin_keeper, "git_state", no_git)
    made = Life(tmp_path, request.param)
    yield made
    if not made.service.closed.is_set():
        await asyncio.wait_for(made.service.close(by_user=False, message="test over"), PATIENCE)


def other(config: ExperimentConfig, **fields) -> ExperimentConfig:
    changed = config.canonical_copy()
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


async def test_a_done_experiment_goes_on_with_a_raised_limit(life):
    await life.start(max_trial_number=3)
    await life.until_status(DONE)
    before = await life.service.stop("e1")
    resumed = await life.resume(other(life.config, max_trial_number=7, trial_concurrency=3))
    assert resumed.record.status is RUNNING and resumed.record.ended_at is None
    assert resumed.revision > before.revision
    trials = await life.until(lambda experiment, trials: len(trials) == 7 and experiment.status is DONE)
    assert sorted(trial.sequence_number for trial in trials) == list(range(7))
    assert len({trial.trial_id for trial in trials}) == 7
    assert [trial.parameters["x"] for trial in sorted(trials, key=lambda it: it.sequence_number)] == list(
        range(7)
    )
    record = await life.record()
    assert record.config["maxTrialNumber"] == 7 and record.config["trialConcurrency"] == 3
    assert record.running_seconds >= before.record.running_seconds


async def test_the_tuner_is_made_anew_out_of_what_it_was_told(life):
    await life.start(max_trial_number=3)
    await life.until_status(DONE)
    await life.service.stop("e1")
    await life.resume(other(life.config, max_trial_number=4))
    kinds = [type(entry) for entry in life.tuner.history]
    assert kinds.count(ParametersProposed) == kinds.count(TellFinalResult) == 3
    await life.until_status(DONE)
    assert not any(isinstance(call, TellFinalResult) and call.value < 3 for call in life.tuner.told)


async def test_without_a_new_limit_a_done_experiment_is_done_again(life):
    await life.start(max_trial_number=3)
    await life.until_status(DONE)
    await life.service.stop("e1")
    await life.resume()
    assert len(await life.until_status(DONE)) == 3


async def test_a_limit_that_is_lowered_below_what_ran_lets_trials_finish(life):
    life.trials_behave = None
    await life.start(max_trial_number=5)
    running = await life.until_running(2)
    await life.crash()
    await life.resume(other(life.config, max_trial_number=1))
    for trial in running:
        life.training.end(trial.trial_id)
    trials = await life.until_status(DONE)
    assert {trial.status for trial in trials} == {TrialStatus.SUCCEEDED} and len(trials) == 2


async def test_running_trials_are_adopted_and_their_results_stored_once(life):
    life.trials_behave = None
    await life.start(max_trial_number=3)
    first, second = await life.until_running(2)
    life.training.report(first.trial_id, 0.1, 0.2, final=False)
    await life.until(lambda *_: life.training.acknowledged.get(first.trial_id) == 2)
    await life.crash()
    life.training.report(first.trial_id, 0.3, 0.4)
    life.training.end(first.trial_id)
    life.training.report(second.trial_id, 7, final=False)
    await life.resume()
    assert sorted(life.training.adopted) == sorted([(first.trial_id, 2), (second.trial_id, 0)])
    life.training.report(second.trial_id, 8)
    life.training.end(second.trial_id)
    trials = await life.until_running(1, after=1)
    life.training.end(trials[0].trial_id)
    await life.until_status(DONE)
    assert sorted(await life.values()) == [("F", 0.4), ("F", 8), *[("I", v) for v in (0.1, 0.2, 0.3, 7)]]
    assert sorted((first.trial_id, second.trial_id)) == sorted(
        call.trial_id for call in life.tuner.told if isinstance(call, TellFinalResult)
    )
    assert all(trial.attempt == 0 for trial in await life.until_status(DONE))


async def test_trials_that_were_owed_are_submitted(life):
    life.trials_behave = None
    await life.start(max_trial_number=4)
    running = await life.until_running(2)
    await life.service.create_trial("e1", {"x": 50}, "r")
    await life.crash()
    await life.resume()
    assert len(life.training.adopted) == 2 and len(life.training.runs) == 2
    for trial in running:
        life.training.end(trial.trial_id)
    queued, _ = await life.until_running(2, after=1)
    assert queued.parameters == {"x": 50} and queued.parameter_id is None


async def test_what_was_asked_before_a_crash_and_not_answered_is_asked_again(life):
    life.algorithm = {"proposals": iter([])}
    await life.start()
    await life.until(lambda experiment, _: experiment.status is DONE)
    await life.service.stop("e1")
    life.algorithm = {}
    await life.resume()
    trials = await life.until(lambda _, trials: len(trials) >= 3)
    assert len({trial.parameter_id for trial in trials}) == len(trials)


async def test_a_cancel_that_a_crash_came_between_is_done_again(life):
    life.trials_behave = None
    await life.start(max_trial_number=2)
    first, second = await life.until_running(2)
    life.training.cancel = lambda trial_id, attempt: None
    await life.service.cancel_trial("e1", first.trial_id)
    await life.crash()
    await life.resume()
    life.training.end(second.trial_id)
    await life.until_status(DONE)
    assert (await life.service.trial("e1", first.trial_id)).stored.record.status is TrialStatus.USER_CANCELED


async def test_trials_of_every_status_can_be_stopped_or_it_is_said_why_not(life):
    life.trials_behave = None
    await life.start(max_trial_number=3)
    first, second = await life.until_running(2)
    queued = (await life.service.create_trial("e1", {"x": 1}, "r")).stored.record

    async def stop(trial):
        return (await life.service.cancel_trial("e1", trial.trial_id)).stored.record.status

    assert await stop(queued) is TrialStatus.USER_CANCELED
    await stop(first)
    await life.until_ended(first)
    assert await stop(first) is TrialStatus.USER_CANCELED
    life.training.cancel = lambda trial_id, attempt: None  # it reaches nobody
    life.service._experiment.runner.queue.put(TrainingServiceFailed("no more processes", 1.0))
    await life.until_status(ERROR)
    with pytest.raises(errors.WrongExperimentStatusError, match=f"{second.trial_id} is UNKNOWN .* resume"):
        await stop(second)
    await life.service.stop("e1")
    life.reopen()
    with pytest.raises(errors.WrongExperimentStatusError, match="resume"):
        await stop(second)
    await life.service.resume("e1", None)
    assert second.trial_id in [trial_id for trial_id, _ in life.training.adopted]
    await stop(second)
    await life.until_ended(second)
    record = (await life.service.trial("e1", second.trial_id)).stored.record
    assert (record.status, record.end_reason.actor) == (TrialStatus.USER_CANCELED, Actor.USER)


async def test_a_shorter_trial_time_holds_for_running_trials_too(life):
    life.trials_behave = None
    await life.start(max_trial_number=2)
    await life.until_running(2)
    await life.service.update("e1", ExperimentUpdate(max_trial_duration="0.01s"))
    trials = await life.until_status(DONE)
    assert {(trial.status, trial.end_reason.actor) for trial in trials} == {
        (TrialStatus.SYS_CANCELED, Actor.LIMIT)
    }


async def test_errors_of_an_earlier_run_stay_while_it_runs_again(life):
    life.trials_behave = None
    await life.start(max_trial_number=5)
    for trial in await life.until_running(2):
        life.training.end(trial.trial_id, 1)
    (third, *_) = await life.until_running(2, after=1)
    life.training.end(third.trial_id, 1)
    await life.until_status(ERROR)
    with pytest.raises(errors.WrongExperimentStatusError, match="nnictl stop e1"):
        await life.service.resume("e1", None)
    stopped = await life.service.stop("e1")
    assert len(stopped.record.errors) == 1
    resumed = await life.resume()
    assert resumed.record.status is RUNNING and resumed.record.end_reason is None
    assert resumed.record.errors == stopped.record.errors


async def test_one_that_never_started_is_started(life):
    await life.service.create(life.config, "e1", "r1")
    await life.service.close(by_user=False, message="")
    view = await life.resume(other(life.config, max_trial_number=2))
    assert view.record.status is RUNNING
    assert len(await life.until_status(DONE)) == 2


async def test_a_failed_start_can_be_resumed(life):
    life.algorithm = {"refuses_to_start": "no module named x"}
    await life.service.create(life.config, "e1", "r1")
    with pytest.raises(errors.InvalidConfigError):
        await life.service.start("e1")
    await life.service.close(by_user=False, message="")
    life.algorithm = {}
    await life.resume(other(life.config, max_trial_number=2))
    await life.until_status(DONE)
    assert len((await life.record()).errors) == 1


async def test_resuming_a_running_one_changes_nothing(life):
    life.trials_behave = None
    await life.start()
    await life.until_running(2)
    view = await life.service.resume("e1", other(life.config, trial_concurrency=9))
    assert view.record.config["trialConcurrency"] == 2


async def test_before_it_is_resumed_it_can_be_read_and_not_changed(life):
    await life.start(max_trial_number=3)
    await life.until_status(DONE)
    before = await life.service.stop("e1")
    life.reopen()
    view = await life.service.get("e1")
    assert view.record == before.record and view.revision == before.revision
    assert len(await life.service.trials("e1", -1, 10, ())) == 3
    for call in (life.service.pause("e1"), life.service.create_trial("e1", {"x": 1}, "r")):
        with pytest.raises(errors.WrongExperimentStatusError):
            await call
    await life.service.close(by_user=False, message="")
    life.reopen()
    assert (await life.service.get("e1")).record == before.record


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda config: setattr(config.tuner, "name", "TPE"), "tuner.name"),
        (lambda config: setattr(config.tuner, "class_args", {"seed": 8}), "tuner.class_args"),
        (
            lambda config: setattr(config, "tuner", CustomAlgorithmConfig(class_name="a.B")),
            "tuner.class_name",
        ),
        (
            lambda config: setattr(config, "assessor", CustomAlgorithmConfig(class_name="a.B")),
            "assessor.class_name",
        ),
    ],
    ids=["name", "seed", "class", "assessor"],
)
async def test_another_algorithm_is_refused_with_what_to_do(life, change, field):
    life.config.tuner.class_args = {"seed": 7}
    await life.start(max_trial_number=1)
    await life.until_status(DONE)
    before = await life.service.stop("e1")
    config = life.config.canonical_copy()
    change(config)
    life.reopen()
    with pytest.raises(errors.InvalidConfigError) as refused:
        await life.service.resume("e1", config)
    assert field in str(refused.value) and "nnictl experiment import NEW_ID --from e1" in str(refused.value)
    assert (await life.service.get("e1")).record == before.record
    await life.service.resume("e1", None)


async def test_a_changed_search_space_is_told_last_and_kept(life):
    await life.start(max_trial_number=2)
    await life.until_status(DONE)
    await life.service.stop("e1")
    await life.resume(other(life.config, search_space=WIDER, max_trial_number=3))
    assert life.tuner.history[-1].search_space == WIDER
    await life.until_status(DONE)
    assert (await life.record()).config["searchSpace"] == WIDER
    await life.service.stop("e1")
    await life.resume()
    changes = [entry for entry in life.tuner.history if isinstance(entry, TellSearchSpace)]
    assert [entry.search_space for entry in changes] == [WIDER]


async def test_a_tuner_that_cannot_be_made_leaves_the_record_as_it_was(life):
    life.trials_behave = None
    await life.start(max_trial_number=2)
    running = await life.until_running(2)
    await life.crash()
    life.algorithm = {"refuses_to_start": "out of memory"}
    life.reopen()
    before = await life.service.get("e1")
    with pytest.raises(errors.InvalidConfigError, match="out of memory"):
        await life.service.resume("e1", None)
    assert (await life.service.get("e1")).record == before.record
    life.algorithm = {}
    await life.service.resume("e1", None)
    for trial in running:
        life.training.end(trial.trial_id)
    assert len(await life.until_status(DONE)) == 2


async def test_a_code_folder_that_has_gone_is_named_and_another_one_taken(life):
    await life.start(max_trial_number=1)
    await life.until_status(DONE)
    await life.service.stop("e1")
    moved = life.folder / "moved"
    life.code.rename(moved)
    life.reopen()
    with pytest.raises(errors.InvalidConfigError) as refused:
        await life.service.resume("e1", None)
    told = str(refused.value)
    assert str(life.code) in told and "nnictl resume e1 --config FILE" in told
    config = ExperimentConfig(**(await life.record()).config)
    config.trial_code_directory = moved
    config.training_service.trial_code_directory = moved
    config.max_trial_number = 2
    await life.service.resume("e1", config)
    await life.until_status(DONE)
    assert life.trained_with.trial_code_directory == str(moved)


async def test_with_a_copy_the_code_folder_need_not_be_there(life):
    await life.start(max_trial_number=1, snapshot_code=True)
    await life.until_status(DONE)
    await life.service.stop("e1")
    shutil.rmtree(life.code)
    await life.resume()
    copy = life.folder / "e1" / "code"
    assert life.trained_with.trial_code_directory == str(copy)
    assert (await life.record()).config["trialCodeDirectory"] == str(life.code)


async def test_code_in_another_folder_gets_a_copy_of_its_own(life):
    await life.start(max_trial_number=1, snapshot_code=True)
    await life.until_status(DONE)
    await life.service.stop("e1")
    new = life.folder / "new"
    new.mkdir()
    (new / "train.py").write_text("second")
    config = other(life.config, trial_code_directory=new)
    config.training_service.trial_code_directory = new
    for _ in range(2):
        await life.resume(config)
        await life.until_status(DONE)
        assert life.trained_with.trial_code_directory == str(life.folder / "e1" / "code-2")
        await life.service.stop("e1")
        config = None
    assert (life.folder / "e1" / "code-2" / "train.py").read_text() == "second"
    assert (life.folder / "e1" / "code" / "train.py").read_text() == "first"


async def test_code_that_changed_between_two_runs_is_warned_about_by_name(life):
    await life.start(max_trial_number=1)
    await life.until(lambda experiment, _: experiment.origin.code_hash)
    origin = (await life.service.stop("e1")).record.origin
    (life.code / "model.pt").write_text("a new file is no change")
    await life.resume()
    assert (await life.service.stop("e1")).record.warnings == ()
    (life.code / "train.py").write_text("second")
    await life.resume()
    record = await life.until(lambda experiment, _: experiment.warnings) and await life.record()
    assert len(record.warnings) == 1 and "train.py" in record.warnings[0]
    assert "since the experiment began" in record.warnings[0] and record.origin == origin


def test_secrets_that_no_record_has_are_named():
    recorded = ExperimentConfig("openpai", trial_command="true", trial_code_directory=Path(__file__).parent)
    recorded.search_space, recorded.trial_concurrency = SPACE, 1
    recorded.tuner.name = "Random"
    service = recorded.training_service
    service.host, service.username, service.docker_image = "https://h", "u", "i"
    service.trial_cpu_number, service.trial_memory_size = 1, "1gb"
    service.local_storage_mount_point, service.container_storage_mount_point = Path(__file__).parent, "/c"
    service.storage_config_name = "s"
    with pytest.raises(errors.InvalidConfigError) as refused:
        resumed_config(recorded, None, "e1", None)
    (line,) = str(refused.value).splitlines()
    assert line.startswith("training_service.token: ") and "NNI_SECRET_TRAINING_SERVICE_TOKEN" in line


async def test_pause_lets_trials_finish_and_lasts_over_a_resume(life):
    life.trials_behave = None
    await life.start(max_trial_number=4)
    first, second = await life.until_running(2)
    assert (await life.service.pause("e1")).record.paused
    assert (await life.service.pause("e1")).record.paused
    life.training.end(first.trial_id)
    await life.until_ended(first)
    await life.crash()
    view = await life.resume()
    assert view.record.paused and view.record.running_since is None
    life.training.end(second.trial_id)
    await life.until_ended(second)
    assert (await life.record()).status is RUNNING
    assert not (await life.service.unpause("e1")).record.paused
    await life.until_running(2, after=1)


async def test_trials_of_the_user_s_own_are_checked_queued_and_made_once(life):
    life.trials_behave = None
    await life.start(max_trial_number=4)
    running = await life.until_running(2)
    for wrong, text in (({"x": 101}, "parameters.x"), ({}, "parameters.x"), ([1], "not an object")):
        with pytest.raises(errors.InvalidArgumentError, match=text):
            await life.service.create_trial("e1", wrong, "r")
    with pytest.raises(errors.InvalidArgumentError, match="does not name it"):
        await life.service.create_trial("e1", {"x": 1, "y": 2}, "r")
    view = await life.service.create_trial("e1", {"x": 50}, "r")
    record = view.stored.record
    assert (record.status, record.sequence_number) == (TrialStatus.WAITING, 2)
    assert (record.parameter_source, record.parameter_id) == (ParameterSource.CUSTOMIZED, None)
    assert (await life.service.create_trial("e1", {"x": 50}, "r")).stored.record.trial_id == record.trial_id
    await life.crash()
    await life.resume()
    assert (await life.service.create_trial("e1", {"x": 50}, "r")).stored.record.trial_id == record.trial_id
    for trial in running:
        life.training.end(trial.trial_id)
    for trial in await life.until_running(2, after=1):
        life.training.report(trial.trial_id, 1)
        life.training.end(trial.trial_id)
    trials = await life.until_status(DONE)
    assert len(trials) == 4 and trials[2].parameters == {"x": 50}
    told = [call for call in life.tuner.told if isinstance(call, TellFinalResult) and call.customized]
    assert [call.parameters for call in told] == [{"x": 50}]
    with pytest.raises(errors.WrongExperimentStatusError, match="max_trial_number"):
        await life.service.create_trial("e1", {"x": 50}, "another")


async def test_a_tuner_of_the_user_s_own_takes_any_parameters_and_results(life):
    life.trials_behave = None
    life.config.tuner = CustomAlgorithmConfig(class_name="my.Tuner")
    await life.start(trial_concurrency=1)
    view = await life.service.create_trial("e1", ["anything"], "r")
    assert view.stored.record.parameters == ["anything"]
    assert await life.service.import_trials("e1", [{"parameter": None, "value": "good"}], "i") == 1


async def test_results_from_elsewhere_are_told_once(life):
    life.trials_behave = None
    await life.start()
    given = [
        {"parameter": {"x": 1}, "value": 0.5},
        {"parameter": {"x": 2}, "value": {"default": float("nan")}},
    ]
    assert await life.service.import_trials("e1", given, "i1") == 2
    assert await life.service.import_trials("e1", given, "i1") == 2
    assert await life.service.import_trials("e1", [], "i2") == 0
    told = [call for call in life.tuner.told if isinstance(call, TellImportedTrials)]
    assert [repr(list(call.trials)) for call in told] == [repr(given)]
    await life.crash()
    await life.resume()
    assert await life.service.import_trials("e1", given, "i1") == 2
    assert not any(isinstance(call, TellImportedTrials) for call in life.tuner.told)
    assert any(isinstance(entry, TellImportedTrials) for entry in life.tuner.history)
    for wrong, text in (({"x": -1}, r"trials\[0\].parameters.x"), ({"y": 1}, "y")):
        with pytest.raises(errors.InvalidArgumentError, match=text):
            await life.service.import_trials("e1", [{"parameter": wrong, "value": 1}], "i3")
    with pytest.raises(errors.InvalidArgumentError, match=r"trials\[0\].value: 'high' is not a number"):
        await life.service.import_trials("e1", [{"parameter": {"x": 1}, "value": "high"}], "i3")


async def test_a_lost_trial_is_run_again_with_its_parameters(life):
    life.trials_behave = None
    await life.start(max_trial_number=1, max_trial_retries=1)
    (trial,) = await life.until_running(1)
    life.training.report(trial.trial_id, 1, 2, final=False)
    life.training.end(trial.trial_id, None)
    (again,) = await life.until(
        lambda _, trials: 0 in trials and trials[0].attempt == 1 and trials[0].started_at
    )
    assert (again.trial_id, again.parameters) == (trial.trial_id, trial.parameters)
    assert [end.message for end in again.earlier_ends] == ["runner lost"]
    await life.crash()
    await life.resume()
    life.training.report(trial.trial_id, 3, 4)
    life.training.end(trial.trial_id, None)
    (failed,) = await life.until_status(DONE)
    assert failed.status is TrialStatus.FAILED and failed.final_result == 4
    metrics = await life.service.metrics("e1", trial.trial_id, 0, 10, None)
    found = [(it.record.attempt, it.record.index, it.record.value) for it in metrics]
    assert found == [(0, 0, 1), (0, 1, 2), (1, 0, 3), (1, 0, 4)]


async def test_results_that_come_after_a_failure_are_kept_and_marked(life):
    life.trials_behave = None
    await life.start(max_trial_number=1)
    (trial,) = await life.until_running(1)
    life.training.end(trial.trial_id, None)
    await life.until_status(DONE)
    await life.service.stop("e1")
    await life.resume()
    late = [Report(MetricKind.FINAL, "p", 0, 0.5, 1.0)]
    assert await life.service.report_metrics("e1", trial.trial_id, 0, late) == 1
    assert await life.service.report_metrics("e1", trial.trial_id, 0, late) == 0
    (metric,) = await life.service.metrics("e1", trial.trial_id, 0, 10, None)
    assert metric.record.late and metric.record.value == 0.5
    view = await life.service.trial("e1", trial.trial_id)
    assert view.stored.record.status is TrialStatus.FAILED and not view.stored.record.has_final_result


async def test_a_tuner_that_dies_is_made_anew_and_trials_run_on(life):
    life.trials_behave = None
    await life.start(max_trial_number=4)
    first, second = await life.until_running(2)
    dead = life.tuner
    life.training.report(first.trial_id, 0.5)
    dead._emit(AlgorithmDied("tuner", "signal 9", "it was killed", "", True, 1.0))
    trials = await life.until(lambda experiment, _: experiment.warnings)
    assert "was restarted" in (await life.record()).warnings[0] and len(trials) == 2
    assert life.tuner is not dead
    told = [it for it in [*life.tuner.history, *life.tuner.told] if isinstance(it, TellFinalResult)]
    assert [it.value for it in told] == [0.5]
    for trial in (first, second):
        life.training.end(trial.trial_id)
    later = await life.until_running(2, after=1)
    assert [trial.parameters["x"] for trial in later] == [2, 3]
    asked = [call for call in life.tuner.told if isinstance(call, RequestParameters)]
    assert len({id_ for call in asked for id_ in call.parameter_ids}) == sum(
        len(call.parameter_ids) for call in asked
    )


async def test_the_revisions_of_a_watch_go_on_rising(life):
    await life.start(max_trial_number=3)
    await life.until_status(DONE)
    before = await life.service.stop("e1")
    await life.resume(other(life.config, max_trial_number=5))
    await life.until(lambda experiment, trials: len(trials) == 5 and experiment.status is DONE)
    seen = set()
    async for change in life.service.watch("e1", before.revision, False):
        assert change.revision > before.revision
        seen.update(view.stored.record.sequence_number for view in change.trials)
        if change.revision == (await life.service.get("e1")).revision:
            break
    assert seen == {3, 4}


async def test_time_that_nobody_ran_it_does_not_count(life, monkeypatch):
    life.trials_behave = None
    await life.start()
    await life.until_running(2)
    await life.crash()
    life.reopen()
    storage = life.service._experiment._storage
    record = await life.record()
    alive, later = storage.committed_at() - record.running_since, storage.committed_at() + 1000
    monkeypatch.setattr(open_experiment, "time", SimpleNamespace(time=lambda: later))
    resumed = await life.service.resume("e1", None)
    assert resumed.record.running_seconds == pytest.approx(record.running_seconds + alive)
    assert resumed.record.running_since == later
