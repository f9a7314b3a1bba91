"""The engine's rules, one story each."""

from __future__ import annotations

import math

import pytest
from nni_config.trial_ids import trial_id
from nni_manager.engine import events
from nni_manager.engine.effects import (
    AcknowledgeReports,
    CancelTrial,
    RequestParameters,
    SaveExperiment,
    SaveMetrics,
    SaveTrial,
    SubmitTrial,
    TellFinalResult,
    TellIntermediateResult,
    TellTrialEnd,
    ToAssessor,
    ToTuner,
)
from nni_manager.engine.engine import Engine
from nni_manager.engine.limits import Limits
from nni_manager.engine.objective import objective_of
from nni_manager.engine.records import ExperimentRecord
from nni_manager.engine.statuses import Actor, ExperimentStatus, MetricKind, TrialStatus


class Story:
    """An engine with a tuner that answers at once, told what happens by the test."""

    def __init__(self, *, grid: int | None = None, has_assessor: bool = False, **limits) -> None:
        self.now = 100.0
        self.grid = grid
        self.proposed = 0
        self.trials = {}
        self.metrics = []
        self.notes = []
        self.experiment = None
        self.actions = []
        self.tuner_is_asleep = False
        limits = Limits(**{"trial_concurrency": 2, **limits})
        record = ExperimentRecord("e1", ExperimentStatus.INITIALIZED, {}, "maximize", self.now)
        self.engine = Engine(record, limits, has_assessor=has_assessor)
        self.absorb(self.engine.start(self.now))

    def absorb(self, result) -> None:
        for write in result.writes:
            if isinstance(write, SaveTrial):
                self.trials[write.record.trial_id] = write.record
            elif isinstance(write, SaveExperiment):
                self.experiment = write.record
            elif isinstance(write, SaveMetrics):
                self.metrics.extend(write.metrics)
            else:
                self.notes.extend(write.notes)
        self.actions.extend(result.actions)
        for action in result.actions:
            if isinstance(action, ToTuner) and not self.tuner_is_asleep:
                self.answer(action.call)

    def answer(self, call) -> None:
        happened = []
        for parameter_id in call.parameter_ids if isinstance(call, RequestParameters) else ():
            if self.grid is not None and self.proposed >= self.grid:
                happened.append(events.ParametersRefused((parameter_id,), "explored"))
            else:
                self.proposed += 1
                happened.append(events.ParametersProposed(parameter_id, {"x": parameter_id}, self.now))
        self.tell(*happened, events.TunerProcessed(call.number, self.now))

    def tell(self, *happened) -> None:
        self.absorb(self.engine.step(happened, self.now))

    def ids(self, *statuses) -> list[str]:
        return [record.trial_id for record in self.trials.values() if record.status in statuses]

    def start_all(self) -> None:
        for one in self.ids(TrialStatus.WAITING):
            if self.engine.state.active[one].submitted:
                self.tell(events.TrialStarted(one, 0, self.now))

    def end(self, one: str, **how) -> None:
        self.tell(events.TrialEnded(one, 0, self.now, **(how if how else {"exit_code": 0})))

    def report(self, one: str, value, kind=MetricKind.FINAL, number=0, reporter="r") -> None:
        self.tell(events.TrialReported(one, 0, (events.Report(kind, reporter, number, value, self.now),), 9))

    def run_to_the_end(self) -> None:
        while self.ids(TrialStatus.WAITING, TrialStatus.RUNNING):
            self.start_all()
            self.end(self.ids(TrialStatus.RUNNING)[0])

    def calls(self, kind) -> list:
        return [action.call for action in self.actions if getattr(action, "call", None).__class__ is kind]


def test_max_trial_number_is_a_total_and_ends_the_experiment_as_done():
    story = Story(max_trial_number=5, trial_concurrency=4)
    assert len(story.ids(TrialStatus.WAITING)) == 4
    story.run_to_the_end()
    assert len(story.trials) == 5
    assert story.experiment.status is ExperimentStatus.DONE
    assert story.experiment.end_reason.actor is Actor.LIMIT
    assert story.engine.state.requests.created_count == 5


def test_an_exhausted_space_without_limits_ends_as_done():
    story = Story(grid=6, trial_concurrency=4)
    story.run_to_the_end()
    assert len(story.trials) == 6
    assert story.experiment.status is ExperimentStatus.DONE
    assert story.experiment.end_reason.actor is Actor.TUNER


def test_until_running_trials_end_an_exhausted_tuner_is_shown_and_may_change_its_mind():
    story = Story(grid=2, trial_concurrency=3)
    assert story.experiment.status is ExperimentStatus.TUNER_NO_MORE_TRIAL
    story.grid = 4
    story.start_all()
    story.end(story.ids(TrialStatus.RUNNING)[0])
    assert story.experiment.status is ExperimentStatus.RUNNING
    assert len(story.trials) == 4


def test_the_clock_runs_on_while_the_tuner_has_no_more_trials():
    """Field report 34."""
    story = Story(grid=2, trial_concurrency=3)
    story.start_all()
    ran = []
    for seconds in (0, 1, 1.5, 97.5):
        story.now += seconds
        story.tell(events.TimePassed(story.now))
        assert story.experiment.status is ExperimentStatus.TUNER_NO_MORE_TRIAL
        ran.append(story.engine.state.running_seconds(story.now))
    assert [each - ran[0] for each in ran] == [0, 1, 2.5, 100]
    story.run_to_the_end()
    story.now += 1000
    assert story.engine.state.running_seconds(story.now) == ran[-1] == story.experiment.running_seconds


def test_parameters_pushed_under_a_refused_id_become_a_trial():
    story = Story(grid=1, trial_concurrency=2)
    owed = next(iter(story.engine.state.requests.owed))
    story.tell(events.ParametersProposed(owed, {"x": 7}, story.now))
    assert len(story.trials) == 2
    story.tell(events.ParametersProposed(owed, {"x": 7}, story.now))
    assert len(story.trials) == 2


def test_done_waits_for_the_tuner_to_answer_the_last_end():
    story = Story(max_trial_number=1, trial_concurrency=1)
    story.start_all()
    story.tuner_is_asleep = True
    story.end(story.ids(TrialStatus.RUNNING)[0])
    assert story.experiment.status is ExperimentStatus.NO_MORE_TRIAL
    story.tuner_is_asleep = False
    story.answer(story.calls(TellTrialEnd)[-1])
    assert story.experiment.status is ExperimentStatus.DONE


def test_the_tuner_hears_the_final_result_before_the_end_and_only_the_first_one():
    story = Story(max_trial_number=1, trial_concurrency=1)
    one = story.ids(TrialStatus.WAITING)[0]
    story.start_all()
    story.report(one, 0.5)
    story.report(one, 0.9, number=1)
    story.end(one)
    told = [a.call for a in story.actions if isinstance(a, ToTuner)]
    assert [type(call) for call in told] == [RequestParameters, TellFinalResult, TellTrialEnd]
    assert [call.number for call in told] == [1, 2, 3]
    assert story.trials[one].final_result == 0.5 and story.trials[one].objective == 0.5
    assert [metric.value for metric in story.metrics] == [0.5, 0.9]


def test_repeated_reports_are_stored_once_and_two_processes_lose_nothing():
    story = Story()
    one = story.ids(TrialStatus.WAITING)[0]
    for reporter, number, value in [("a", 0, 1), ("a", 0, 1), ("b", 0, 2), ("a", 1, 3), ("b", 0, 2)]:
        story.report(one, value, MetricKind.INTERMEDIATE, number, reporter)
    assert [(metric.index, metric.value) for metric in story.metrics] == [(0, 1), (1, 2), (2, 3)]
    assert sum(isinstance(action, AcknowledgeReports) for action in story.actions) == 5


def test_reports_of_ended_trials_are_handed_back_as_late():
    story = Story(max_trial_number=1, trial_concurrency=1)
    one = story.ids(TrialStatus.WAITING)[0]
    story.end(one)
    late = events.TrialReported(one, 0, (events.Report(MetricKind.FINAL, "r", 0, 1, 1.0),))
    result = story.engine.step([late], story.now)
    assert result.late_reports == [late] and not result.writes and not result.actions


@pytest.mark.parametrize(
    ("how", "status", "message"),
    [
        ({"exit_code": 0}, TrialStatus.SUCCEEDED, "finished"),
        ({"exit_code": 3, "stderr_tail": "boom"}, TrialStatus.FAILED, "exit code 3"),
        ({"signal": 9}, TrialStatus.FAILED, "killed by signal 9 (SIGKILL)"),
        ({"signal": 99}, TrialStatus.FAILED, "killed by signal 99 (unknown)"),
        ({"problem": "runner lost"}, TrialStatus.FAILED, "runner lost"),
    ],
)
def test_the_end_of_a_process_decides_the_status(how, status, message):
    story = Story(stop_on_early_failures=False)
    one = story.ids(TrialStatus.WAITING)[0]
    story.start_all()
    story.report(one, 0.5)
    story.end(one, **how)
    record = story.trials[one]
    assert (record.status, record.end_reason.message) == (status, message)
    assert record.has_final_result and record.end_reason.stderr_tail == how.get("stderr_tail", "")


def test_a_trial_without_a_final_result_says_so():
    story = Story()
    one = story.ids(TrialStatus.WAITING)[0]
    story.start_all()
    story.end(one, exit_code=0)
    record = story.trials[one]
    assert (record.status, record.end_reason.message) == (
        TrialStatus.SUCCEEDED,
        "finished without a final result",
    )


@pytest.mark.parametrize("how", [{"exit_code": 0}, {"exit_code": 1}, {"signal": 2}])
@pytest.mark.parametrize("who", ["user", "assessor", "tuner", "stop", "manager", "time"])
def test_a_trial_that_somebody_stopped_has_the_status_of_that_whatever_its_exit_code(how, who):
    story = Story(max_trial_seconds=5, has_assessor=True)
    one = story.ids(TrialStatus.WAITING)[0]
    story.start_all()
    story.now += 10
    event, status, actor = {
        "user": (events.CancelRequested(one, story.now), TrialStatus.USER_CANCELED, Actor.USER),
        "assessor": (events.TrialJudgedBad(one, "bad", story.now), TrialStatus.EARLY_STOPPED, Actor.ASSESSOR),
        "tuner": (
            events.TrialJudgedBad(one, "bad", story.now, "tuner"),
            TrialStatus.EARLY_STOPPED,
            Actor.TUNER,
        ),
        "stop": (events.StopRequested(True, "stop", story.now), TrialStatus.USER_CANCELED, Actor.USER),
        "manager": (events.StopRequested(False, "term", story.now), TrialStatus.SYS_CANCELED, Actor.MANAGER),
        "time": (events.TimePassed(story.now), TrialStatus.SYS_CANCELED, Actor.LIMIT),
    }[who]
    story.tell(event)
    assert CancelTrial(one, 0) in story.actions
    story.end(one, **how)
    record = story.trials[one]
    assert (record.status, record.end_reason.actor) == (status, actor)
    assert record.end_reason.exit_code == how.get("exit_code")
    if who == "time":
        assert "time limit" in record.end_reason.message


def test_canceling_twice_or_an_ended_or_unknown_trial_changes_nothing():
    story = Story()
    one = story.ids(TrialStatus.WAITING)[0]
    story.tell(events.CancelRequested(one, story.now), events.CancelRequested(one, story.now))
    assert story.actions.count(CancelTrial(one, 0)) == 1
    story.end(one)
    before = dict(story.trials)
    story.tell(events.CancelRequested(one, story.now), events.CancelRequested("nope", story.now))
    assert story.trials == before


def test_a_trial_without_a_slot_waits_with_a_reason_and_can_be_canceled():
    story = Story(grid=1, trial_concurrency=2)
    for owed in list(story.engine.state.requests.owed):
        story.tell(events.ParametersProposed(owed, {}, story.now))
    story.tell(events.ConfigChanged({}, Limits(trial_concurrency=1), story.now))
    story.grid = 2
    story.start_all()
    asked = story.engine.state.requests
    asked.unanswered.add(77)
    story.tell(events.ParametersProposed(77, {}, story.now))
    waiting = story.ids(TrialStatus.WAITING)
    assert len(waiting) == 1 and "slot" in story.trials[waiting[0]].waiting_reason
    story.tell(events.CancelRequested(waiting[0], story.now))
    assert story.trials[waiting[0]].status is TrialStatus.USER_CANCELED
    assert waiting[0] not in story.engine.state.active


def test_lowering_the_concurrency_stops_nothing_and_raising_it_fills_slots_at_once():
    story = Story(trial_concurrency=3)
    story.start_all()
    story.tell(events.ConfigChanged({"a": 1}, Limits(trial_concurrency=1), story.now))
    assert len(story.ids(TrialStatus.RUNNING)) == 3 and story.experiment.config == {"a": 1}
    story.end(story.ids(TrialStatus.RUNNING)[0])
    story.end(story.ids(TrialStatus.RUNNING)[0])
    assert len(story.trials) == 3
    story.tell(events.ConfigChanged({}, Limits(trial_concurrency=4), story.now))
    assert len(story.engine.state.active) == 4


def test_raising_the_limit_of_a_done_experiment_goes_on():
    story = Story(max_trial_number=2)
    story.now += 7
    story.run_to_the_end()
    assert story.experiment.status is ExperimentStatus.DONE and story.experiment.running_seconds == 7
    story.now += 100
    story.tell(events.ConfigChanged({}, Limits(trial_concurrency=2, max_trial_number=5), story.now))
    assert story.experiment.status is ExperimentStatus.RUNNING
    story.now += 3
    story.run_to_the_end()
    assert len(story.trials) == 5
    assert story.experiment.status is ExperimentStatus.DONE and story.experiment.running_seconds == 10


@pytest.mark.parametrize("stop", [False, True])
def test_the_time_limit_lets_running_trials_finish_or_stops_them(stop):
    story = Story(max_experiment_seconds=10, stop_trials_at_time_limit=stop)
    story.start_all()
    assert story.engine.next_wakeup() == 110
    story.now = 110.0
    story.tell(events.TimePassed(110.0))
    assert story.experiment.status is ExperimentStatus.NO_MORE_TRIAL
    assert story.engine.next_wakeup() == 160, "only what has run is to be stored"
    for one in story.ids(TrialStatus.RUNNING):
        story.end(one)
    expected = TrialStatus.SYS_CANCELED if stop else TrialStatus.SUCCEEDED
    assert {record.status for record in story.trials.values()} == {expected}
    assert story.experiment.status is ExperimentStatus.DONE
    assert "max_experiment_duration" in story.experiment.end_reason.message


@pytest.mark.parametrize("concurrency", [1, 2, 5])
def test_first_trials_that_all_fail_without_a_report_end_the_experiment(concurrency):
    story = Story(trial_concurrency=concurrency)
    failed = 0
    while story.experiment.status is ExperimentStatus.RUNNING:
        story.start_all()
        story.end(story.ids(TrialStatus.RUNNING)[0], exit_code=1)
        failed += 1
    assert failed == max(3, concurrency)
    for one in story.ids(TrialStatus.RUNNING):
        story.end(one, signal=2)
    for one in story.ids(TrialStatus.WAITING):
        story.end(one, problem="canceled before it started")
    assert story.experiment.status is ExperimentStatus.ERROR
    assert "all failed" in story.experiment.errors[0]


@pytest.mark.parametrize("rescue", ["report", "success", "setting"])
def test_one_report_or_success_means_later_failures_are_only_failures(rescue):
    story = Story(stop_on_early_failures=rescue != "setting", max_trial_number=8)
    story.start_all()
    one = story.ids(TrialStatus.RUNNING)[0]
    if rescue == "report":
        story.report(one, 1, MetricKind.INTERMEDIATE)
    story.end(one, exit_code=0 if rescue == "success" else 1)
    while story.ids(TrialStatus.WAITING, TrialStatus.RUNNING):
        story.start_all()
        story.end(story.ids(TrialStatus.RUNNING)[0], exit_code=1)
    assert story.experiment.status is ExperimentStatus.DONE


def test_a_failing_tuner_stops_the_trials_and_ends_as_error_with_the_traceback():
    story = Story()
    story.start_all()
    story.tell(events.AlgorithmFailed("tuner", "ValueError: x", "Traceback: line 1", story.now))
    assert story.experiment.status is ExperimentStatus.STOPPING
    for one in story.ids(TrialStatus.RUNNING):
        story.end(one, signal=2)
    assert story.experiment.status is ExperimentStatus.ERROR
    assert "Traceback: line 1" in story.experiment.errors[0]
    assert {record.status for record in story.trials.values()} == {TrialStatus.SYS_CANCELED}


def test_a_lost_training_service_leaves_trials_unknown():
    story = Story()
    story.tell(events.TrainingServiceFailed("courier dies again and again", story.now))
    assert story.experiment.status is ExperimentStatus.ERROR
    assert {record.status for record in story.trials.values()} == {TrialStatus.UNKNOWN}


def test_the_assessor_hears_intermediate_results_and_ends():
    story = Story(has_assessor=True)
    one = story.ids(TrialStatus.WAITING)[0]
    story.report(one, {"default": 1}, MetricKind.INTERMEDIATE)
    story.end(one)
    told = [action.call for action in story.actions if isinstance(action, ToAssessor)]
    assert isinstance(told[0], TellIntermediateResult) and told[0].value == {"default": 1}
    assert isinstance(told[1], TellTrialEnd)


@pytest.mark.parametrize(
    ("value", "objective"),
    [
        (1, 1.0),
        (True, 1.0),
        ({"default": 2.5, "loss": 1}, 2.5),
        ({"loss": 1}, None),
        ("text", None),
        (None, None),
        (math.nan, None),
        ({"default": math.nan}, None),
        (math.inf, math.inf),
        (10**400, None),
    ],
)
def test_the_number_that_views_rank_by(value, objective):
    assert objective_of(value) == objective


def test_trial_ids_are_unique_short_and_repeatable():
    ids = [trial_id("e1", number) for number in range(200_000)]
    assert len(set(ids)) == len(ids)
    assert all(len(one) == 5 and one.isalnum() for one in ids)
    assert ids[:3] == [trial_id("e1", number) for number in range(3)] != [trial_id("e2", n) for n in range(3)]


def test_writes_of_one_step_hold_each_trial_once():
    story = Story(max_trial_number=2)
    one = story.ids(TrialStatus.WAITING)[0]
    result = story.engine.step(
        [
            events.TrialStarted(one, 0, story.now),
            events.TrialReported(one, 0, (events.Report(MetricKind.FINAL, "r", 0, 1.0, story.now),), 5),
            events.TrialEnded(one, 0, story.now, exit_code=0),
        ],
        story.now,
    )
    saved = [write.record for write in result.writes if isinstance(write, SaveTrial)]
    assert [record.trial_id for record in saved].count(one) == 1
    assert any(isinstance(write, SaveMetrics) for write in result.writes)
    assert not any(isinstance(action, SubmitTrial) and action.trial_id == one for action in result.actions)
