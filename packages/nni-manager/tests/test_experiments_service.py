"""The application service with simulated trials and algorithms, on both storages."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from nni_config import AlgorithmConfig, ExperimentConfig
from nni_manager.engine.effects import SaveExperiment, TellFinalResult, TellSearchSpace, TellTrialEnd
from nni_manager.engine.events import Report
from nni_manager.engine.statuses import Actor, ExperimentStatus, MetricKind, TrialStatus
from nni_manager.experiments import errors, runner
from nni_manager.experiments.parts import Parts
from nni_manager.experiments.service import ExperimentService
from nni_manager.experiments.view_service import open_view
from nni_manager.experiments.views import ExperimentUpdate
from nni_manager.storage.memory import MemoryStorage
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.faulty_storage import FaultyStorage
from nni_manager.testing.simulated_algorithm import SimulatedAlgorithm
from nni_manager.testing.simulated_training import SimulatedTrainingService


def make_config(**fields) -> ExperimentConfig:
    config = ExperimentConfig("local")
    config.search_space = {"x": {"_type": "uniform", "_value": [0, 1]}}
    config.trial_command = "true"
    config.trial_code_directory = Path(__file__).parent
    config.trial_concurrency = 2
    config.tuner.name = "Random"
    for name, value in fields.items():
        setattr(config, name, value)
    return config


class Bench:
    """A service and the parts it made."""

    def __init__(self, folder: Path, open_storage, behaviour, **algorithm) -> None:
        self.training = None
        self.tuner = None

        def make_training(config, experiment_id, experiment_folder, emit):
            self.training = SimulatedTrainingService(emit, behaviour)
            return self.training

        def make_algorithm(settings, emit):
            made = SimulatedAlgorithm(settings, emit, **algorithm)
            if settings.kind == "tuner":
                self.tuner = made
            return made

        parts = Parts(open_storage, make_training, make_algorithm, lambda experiment, trial: {"TOKEN": trial})
        self.service = ExperimentService(folder, parts)

    async def run(self, **fields) -> None:
        await self.service.create(make_config(**fields), "e1", "r1")
        await self.service.start("e1")

    async def until(self, condition, **watch) -> None:
        """Follows the experiment until a condition on (experiment, trials, metrics) holds."""
        trials, metrics = {}, []
        async for change in self.service.watch("e1", 0, True):
            trials.update({view.stored.record.trial_id: view.stored.record for view in change.trials})
            metrics.extend(metric.record for metric in change.metrics)
            view = await self.service.get("e1")
            # What is read may be ahead of what was told.
            if change.revision >= view.revision and condition(view.record, trials, metrics):
                return trials, metrics
        raise AssertionError("the watch ended")

    async def until_status(self, status):
        return await self.until(lambda experiment, trials, metrics: experiment.status is status)

    async def until_running(self, count):
        def enough(experiment, trials, metrics):
            return sum(one.status is TrialStatus.RUNNING for one in trials.values()) == count

        trials, _ = await self.until(enough)
        return [one.trial_id for one in trials.values() if one.status is TrialStatus.RUNNING]


@pytest.fixture(params=["memory", "sqlite"])
async def make_bench(tmp_path, request):
    benches = []

    def open_memory(path):
        path.touch()
        return MemoryStorage()

    def make(behaviour=lambda parameters: [parameters["x"] / 2, parameters["x"]], **algorithm) -> Bench:
        opener = open_sqlite_storage if request.param == "sqlite" else open_memory
        benches.append(Bench(tmp_path, opener, behaviour, **algorithm))
        return benches[-1]

    yield make
    for bench in benches:
        await bench.service.close(by_user=False, message="test over")


async def test_a_whole_experiment_is_recorded(make_bench):
    bench = make_bench()
    await bench.run(max_trial_number=10)
    trials, metrics = await bench.until_status(ExperimentStatus.DONE)
    view = await bench.service.get("e1")
    assert view.trial_counts == {TrialStatus.SUCCEEDED: 10}
    assert view.best_trial.stored.record.final_result == 9
    assert sorted(one.sequence_number for one in trials.values()) == list(range(10))
    assert len(metrics) == 20
    assert view.record.end_reason.actor is Actor.LIMIT and view.record.ended_at is not None
    ends = [call for call in bench.tuner.told if isinstance(call, TellTrialEnd)]
    results = [call for call in bench.tuner.told if isinstance(call, TellFinalResult)]
    assert len(ends) == len(results) == 10
    assert all(bench.training.acknowledged[one] == 2 for one in trials)
    assert all(run.environment == {"TOKEN": one} for one, run in bench.training.runs.items())
    assert bench.training.released == 1


@pytest.mark.parametrize(("indices", "visible"), [(None, ""), ([1, 3], "1,3")])
async def test_a_tuner_sees_the_gpus_it_was_given_and_no_others(make_bench, indices, visible):
    bench = make_bench()
    await bench.run(max_trial_number=1, tuner_gpu_indices=indices)
    assert bench.tuner.settings.environment["CUDA_VISIBLE_DEVICES"] == visible


async def test_an_exhausted_tuner_ends_the_experiment(make_bench):
    bench = make_bench(proposals=iter([{"x": 1}, {"x": 2}, {"x": 3}]))
    await bench.run()
    trials, _ = await bench.until_status(ExperimentStatus.DONE)
    assert len(trials) == 3


async def test_reading_page_by_page_gives_everything_once(make_bench):
    bench = make_bench()
    await bench.run(max_trial_number=25)
    await bench.until_status(ExperimentStatus.DONE)
    after, seen = -1, []
    while page := await bench.service.trials("e1", after, 7, ()):
        seen += [view.stored.record.sequence_number for view in page]
        after = seen[-1]
    assert seen == list(range(25))
    exported = await bench.service.exported_trials("e1", 19, 100)
    assert [view.stored.record.final_result for view in exported] == [20, 21, 22, 23, 24]
    finals = await bench.service.metrics("e1", None, 0, 1000, MetricKind.FINAL)
    assert sorted(metric.record.value for metric in finals) == list(range(25))
    one = seen and (await bench.service.trials("e1", -1, 1, ()))[0].stored.record.trial_id
    assert len(await bench.service.metrics("e1", one, 0, 10, None)) == 2


async def test_a_watch_from_a_revision_misses_nothing_and_repeats_nothing(make_bench):
    bench = make_bench()
    await bench.run(max_trial_number=30)
    revision, values = 0, []
    while True:
        async for change in bench.service.watch("e1", revision, True):
            revision = change.revision
            values += [metric.record.value for metric in change.metrics]
            break
        experiment = await bench.service.get("e1")
        if experiment.record.status is ExperimentStatus.DONE and revision >= experiment.revision:
            break
    assert sorted(values) == sorted([n / 2 for n in range(30)] + list(range(30)))


class SlowToReturn(FaultyStorage):
    """The end of the experiment can be read for a while before the one who stores it knows that."""

    def commit(self, writes):
        revision = super().commit(writes)
        if any(isinstance(write, SaveExperiment) and write.record.ended_at for write in writes):
            time.sleep(0.3)
        return revision


async def test_a_watch_hears_of_the_end_also_while_it_is_being_stored(tmp_path):
    def open_storage(path):
        path.touch()
        return SlowToReturn(MemoryStorage())

    bench = Bench(tmp_path, open_storage, lambda parameters: [parameters["x"]])
    await bench.run(max_trial_number=5)
    seen = None
    async for change in bench.service.watch("e1", 0, False):
        seen = change.experiment or seen
        assert seen.revision >= change.revision
        if seen.record.status is ExperimentStatus.DONE:
            break
    assert (await bench.service.get("e1")).record.status is ExperimentStatus.DONE
    await bench.service.close(by_user=False, message="test over")


async def test_canceling_stopping_and_late_results(make_bench, caplog):
    caplog.set_level("INFO", "nni_manager")
    bench = make_bench(behaviour=None)
    await bench.run(trial_concurrency=3)
    first, second, third = await bench.until_running(3)
    bench.training.report(first, 0.5)
    bench.training.report(third, 1.5)
    bench.training.report(third, 2.5)
    bench.training.end(first)
    await bench.service.cancel_trial("e1", second)
    await bench.until(lambda _, trials, __: second in trials and trials[second].status.is_final)
    await bench.until(lambda _, trials, __: first in trials and trials[first].status.is_final)
    view = await bench.service.trial("e1", second)
    assert view.output_directory.endswith(f"/e1/trials/{second}")
    again = await bench.service.cancel_trial("e1", first)
    assert again.stored.record.status is TrialStatus.SUCCEEDED
    late = [Report(MetricKind.FINAL, "other", 0, 7, 1.0), Report(MetricKind.FINAL, "other", 0, 7, 1.0)]
    assert await bench.service.report_metrics("e1", first, 0, late) == 1
    assert await bench.service.report_metrics("e1", first, 0, late) == 0
    metrics = await bench.service.metrics("e1", first, 0, 10, None)
    assert [(m.record.value, m.record.index, m.record.late) for m in metrics] == [
        (0.5, 0, False),
        (7, 1, True),
    ]
    assert (await bench.service.trial("e1", first)).stored.record.final_result == 0.5
    assert f"trial {first} reported 1 results after its end: they are stored" in caplog.text
    assert f"trial {third} reported another final result, 2.5; the first one counts" in caplog.text
    assert f"trial {first} reported another" not in caplog.text
    final = await bench.service.stop("e1")
    assert final.record.status is ExperimentStatus.STOPPED and final.record.end_reason.actor is Actor.USER
    assert final.trial_counts[TrialStatus.USER_CANCELED] == sum(final.trial_counts.values()) - 1
    assert third in bench.training.canceled
    assert bench.training.released == 1
    assert bench.tuner.closed and bench.training.closed and bench.service.closed.is_set()
    with pytest.raises(errors.ShuttingDownError):
        await bench.service.get("e1")


async def test_results_by_call_are_counted_once_stored(make_bench):
    bench = make_bench(behaviour=None)
    await bench.run()
    one, _ = await bench.until_running(2)
    reports = [Report(MetricKind.INTERMEDIATE, "p", number, number, 1.0) for number in range(50)]
    answers = await asyncio.gather(*(bench.service.report_metrics("e1", one, 0, reports) for _ in range(5)))
    assert sorted(answers) == [0, 0, 0, 0, 50]
    assert len(await bench.service.metrics("e1", one, 0, 100, None)) == 50


async def test_limits_change_while_it_runs_and_after_it_is_done(make_bench):
    bench = make_bench()
    await bench.run(max_trial_number=3)
    await bench.until_status(ExperimentStatus.DONE)
    view = await bench.service.update("e1", ExperimentUpdate(max_trial_number=6, trial_concurrency=4))
    assert view.record.config["maxTrialNumber"] == 6 and view.record.config["trialConcurrency"] == 4
    trials, _ = await bench.until(
        lambda experiment, trials, _: len(trials) == 6 and experiment.status is ExperimentStatus.DONE
    )
    assert {one.status for one in trials.values()} == {TrialStatus.SUCCEEDED}
    assert bench.training.released == 2
    for bad in (ExperimentUpdate(trial_concurrency=0), ExperimentUpdate(max_experiment_duration="soon")):
        with pytest.raises(errors.InvalidArgumentError):
            await bench.service.update("e1", bad)


async def test_a_code_folder_that_has_gone_keeps_nobody_from_changing_limits(make_bench, tmp_path):
    code = tmp_path / "code"
    code.mkdir()
    bench = make_bench(behaviour=None)
    await bench.run(trial_code_directory=code)
    code.rmdir()
    view = await bench.service.update("e1", ExperimentUpdate(max_trial_number=6))
    assert view.record.config["maxTrialNumber"] == 6
    assert view.record.config["trialCodeDirectory"] == str(code)
    with pytest.raises(errors.InvalidArgumentError) as refused:
        await bench.service.update("e1", ExperimentUpdate(trial_concurrency=0))
    assert "code" not in str(refused.value) and "trial_concurrency" in str(refused.value)


async def test_the_search_space_changes_or_the_tuner_refuses(make_bench):
    space = {"y": {"_type": "uniform", "_value": [0, 2]}}
    bench = make_bench(behaviour=None)
    await bench.run()
    view = await bench.service.update("e1", ExperimentUpdate(search_space=space))
    assert view.record.config["searchSpace"] == space
    assert any(isinstance(call, TellSearchSpace) for call in bench.tuner.told)
    with pytest.raises(errors.InvalidArgumentError, match="y"):
        await bench.service.update(
            "e1", ExperimentUpdate(search_space={"y": {"_type": "nope", "_value": []}})
        )
    stubborn = make_bench(behaviour=None, refuses_search_spaces=True)
    await stubborn.service.create(make_config(), "e2", "")
    await stubborn.service.start("e2")
    with pytest.raises(errors.AlgorithmRefusedError, match="cannot change"):
        await stubborn.service.update("e2", ExperimentUpdate(search_space=space))
    assert (await stubborn.service.get("e2")).record.config["searchSpace"] != space


async def test_creating_checks_everything_first_and_can_be_retried(make_bench, tmp_path):
    bench = make_bench()
    broken = make_config(trial_command=None)
    broken.tuner.name = "Nonsense"
    with pytest.raises(errors.InvalidConfigError, match="trial_command"):
        await bench.service.create(broken, "e1", "r1")
    with pytest.raises(errors.InvalidArgumentError, match="experiment_id"):
        await bench.service.create(make_config(), "../x", "r1")
    assert list(tmp_path.iterdir()) == []
    created = await bench.service.create(make_config(), "e1", "r1")
    assert created.record.status is ExperimentStatus.INITIALIZED
    again = await bench.service.create(make_config(), "e1", "r1")
    assert again.record.created_at == created.record.created_at
    with pytest.raises(errors.ExperimentAlreadyExistsError):
        await bench.service.create(make_config(), "e1", "r2")
    assert (tmp_path / "_latest").resolve() == tmp_path / "e1"
    assert (tmp_path / "e1").stat().st_mode & 0o777 == 0o700
    with pytest.raises(errors.ExperimentNotFoundError):
        await bench.service.get("e2")
    other = make_bench()
    with pytest.raises(errors.ExperimentAlreadyExistsError):
        await other.service.create(make_config(), "e1", "r3")


async def test_a_setting_that_nothing_obeys_is_refused(make_bench):
    bench = make_bench()
    storage = {"storageType": "NFS", "nfsServer": "a", "exportedDirectory": "/b", "remoteMountPoint": "/c"}
    config = make_config(
        shared_storage={**storage, "localMountPoint": str(Path.cwd()), "localMounted": "usermount"}
    )
    with pytest.raises(errors.InvalidConfigError, match=r"shared_storage.*leave it out"):
        await bench.service.create(config, "e1", "r1")


async def test_a_place_that_is_not_run_is_refused_with_what_to_use(make_bench):
    bench = make_bench()
    config = make_config(
        training_service={"platform": "kubeflow", "operator": "tf-operator", "apiVersion": "v1"}
    )
    config.training_service.storage = {"storageType": "nfs", "server": "a", "path": "/b"}
    with pytest.raises(errors.InvalidConfigError, match=r"'kubeflow'.* in a pod .*`platform: local`"):
        await bench.service.create(config, "e1", "r1")


async def test_an_algorithm_that_cannot_be_made_is_an_error_of_the_configuration(make_bench):
    bench = make_bench(refuses_to_start="no module named my_tuner")
    await bench.service.create(make_config(), "e1", "r1")
    with pytest.raises(errors.InvalidConfigError, match="my_tuner"):
        await bench.service.start("e1")
    view = await bench.service.get("e1")
    assert view.record.status is ExperimentStatus.ERROR and "my_tuner" in view.record.errors[0]
    with pytest.raises(errors.WrongExperimentStatusError):
        await bench.service.start("e1")


async def test_unknown_trials_are_named(make_bench):
    bench = make_bench()
    await bench.run(max_trial_number=1)
    for call in (
        bench.service.trial("e1", "nope"),
        bench.service.cancel_trial("e1", "nope"),
        bench.service.metrics("e1", "nope", 0, 1, None),
        bench.service.report_metrics("e1", "nope", 0, []),
    ):
        with pytest.raises(errors.TrialNotFoundError, match="nope"):
            await call


async def test_the_manager_s_own_end_is_told_apart_from_a_user_s(make_bench):
    bench = make_bench(behaviour=None)
    await bench.run()
    await bench.until_running(2)
    view = await bench.service.close(by_user=False, message="received SIGTERM")
    assert view.trial_counts == {TrialStatus.SYS_CANCELED: 2}
    assert view.record.end_reason.message == "received SIGTERM"
    assert await bench.service.close(by_user=True, message="again") is None


async def test_a_recorded_experiment_is_shown_and_not_changed(tmp_path):
    bench = Bench(tmp_path, open_sqlite_storage, lambda parameters: [parameters["x"]])
    await bench.run(max_trial_number=4)
    await bench.until_status(ExperimentStatus.DONE)
    before = await bench.service.stop("e1")

    def open_to_read(path):
        return open_sqlite_storage(path, read_only=True)

    view = open_view(tmp_path, "e1", open_to_read)
    shown = await view.get("e1")
    assert shown.record == before.record and shown.trial_counts == before.trial_counts
    assert [change.revision async for change in _until_quiet(view)] == [shown.revision]
    assert len(await view.exported_trials("e1", -1, 10)) == 4
    for call in (view.start("e1"), view.cancel_trial("e1", "x"), view.update("e1", ExperimentUpdate())):
        with pytest.raises(errors.WrongExperimentStatusError, match="only shown"):
            await call
    await view.stop("e1")
    assert view.closed.is_set()
    with pytest.raises(errors.ExperimentNotFoundError):
        open_view(tmp_path, "e9", open_to_read)


async def _until_quiet(view):
    watch = view.watch("e1", 0, True)
    async for change in watch:
        yield change
        if change.revision == (await view.get("e1")).revision:
            await watch.aclose()
            return


async def test_a_full_disk_delays_and_loses_nothing(tmp_path):
    faulty = []

    def open_faulty(path):
        faulty.append(FaultyStorage(open_sqlite_storage(path), failing_commits=(4, 5)))
        return faulty[-1]

    bench = Bench(tmp_path, open_faulty, lambda parameters: [parameters["x"]])
    await bench.run(max_trial_number=8)
    trials, metrics = await bench.until_status(ExperimentStatus.DONE)
    assert faulty[0].commits > 5
    assert len(trials) == len(metrics) == 8
    assert {one.status for one in trials.values()} == {TrialStatus.SUCCEEDED}
    await bench.service.close(by_user=False, message="test over")


async def test_what_can_never_be_stored_ends_the_experiment_and_names_the_cause(make_bench):
    bench = make_bench(lambda parameters: [object() if parameters["x"] == 3 else parameters["x"]])
    await bench.run()
    await bench.until_status(ExperimentStatus.ERROR)
    view = await bench.service.get("e1")
    assert "JSON" in view.record.errors[-1] and "manager" in view.record.end_reason.message


async def test_a_record_that_is_deleted_ends_the_experiment_and_says_so(make_bench, tmp_path):
    bench = make_bench()
    await bench.run()
    await bench.until(lambda experiment, trials, metrics: len(trials) > 3)
    (tmp_path / "e1" / "db").rename(tmp_path / "gone")
    await bench.until_status(ExperimentStatus.ERROR)
    record = (await bench.service.get("e1")).record
    assert f"{tmp_path / 'e1' / 'db' / 'experiment.sqlite'} was deleted or moved" in record.end_reason.message
    assert len(record.errors) == 1


async def test_a_disk_that_stays_full_is_told_to_who_asks_and_a_stop_is_done_later(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "_STORAGE_RETRY_SECONDS", 0.01)
    faulty = []

    def open_faulty(path):
        faulty.append(FaultyStorage(open_sqlite_storage(path)))
        return faulty[-1]

    bench = Bench(tmp_path, open_faulty, None)
    await bench.run()
    await bench.until_running(2)
    faulty[0].failing_commits = range(10**6)
    with pytest.raises(errors.StorageFailedError, match="cannot be written"):
        await bench.service.stop("e1")
    assert "cannot be written" in (await bench.service.get("e1")).record.errors[-1]
    assert not bench.service.closed.is_set()
    with pytest.raises(errors.StorageFailedError, match="cannot be written"):
        await bench.service.stop("e1")
    faulty[0].failing_commits = ()
    await bench.until_status(ExperimentStatus.STOPPED)
    final = await bench.service.stop("e1")
    assert final.record.status is ExperimentStatus.STOPPED and not final.record.errors
    assert final.trial_counts == {TrialStatus.USER_CANCELED: 2}
    assert bench.service.closed.is_set()


async def test_what_an_algorithm_has_to_say_is_a_warning(make_bench, caplog) -> None:
    bench = make_bench()
    config = make_config(tuner=AlgorithmConfig(name="tpe_LEGACY"))
    view = await bench.service.create(config, "e1", "r1")
    expected = "TPE_legacy is TPE here; the name TPE has more settings"
    assert view.record.warnings == (expected,)
    assert expected in caplog.text


async def test_a_tuner_with_nothing_to_say_raises_no_warning(make_bench) -> None:
    view = await make_bench().service.create(make_config(), "e1", "r1")
    assert view.record.warnings == ()
