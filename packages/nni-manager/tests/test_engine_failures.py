"""Trials that fail: those that are run again, and how many are too many."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_manager.engine import events
from nni_manager.engine.effects import SubmitTrial, TellFinalResult, TellTrialEnd, ToAssessor
from nni_manager.engine.objective import result_of_failure, with_result
from nni_manager.engine.statuses import Actor, ExperimentStatus, TrialStatus
from nni_manager.testing.engine_story import Story


@pytest.mark.parametrize("how", [{"signal": 9}, {"problem": "the machine is lost"}])
def test_a_trial_that_was_killed_is_run_again_as_it_was_with_results_numbered_anew(how):
    story = Story(trial_concurrency=1, max_trial_retries=1, has_assessor=True)
    story.begin(0, "gpu-a", "0", "1")
    story.report(0, "a", "b")
    before = story.trial(0)
    assert (before.host, before.gpus) == ("gpu-a", ("0", "1"))
    told = len(story.done(ToAssessor))
    story.end(0, **how)
    after = story.trial(0)
    assert (after.trial_id, after.parameters, after.parameter_id) == (
        before.trial_id,
        before.parameters,
        before.parameter_id,
    )
    assert (after.status, after.attempt, after.submitted, after.started_at) == (
        TrialStatus.WAITING,
        1,
        True,
        None,
    )
    assert (after.host, after.gpus) == ("", ())
    assert [end.actor for end in after.earlier_ends] == [Actor.TRIAL if "signal" in how else Actor.PLATFORM]
    assert [(one.sequence_number, one.attempt) for one in story.done(SubmitTrial)] == [(0, 0), (0, 1)]
    assert story.told(TellTrialEnd) == [] and len(story.done(ToAssessor)) == told
    story.begin(0)
    story.report(0, "c")
    assert [(one.attempt, one.index, one.value) for one in story.metrics] == [
        (0, 0, "a"),
        (0, 1, "b"),
        (1, 0, "c"),
    ]
    story.end(0, **how)
    assert story.trial(0).status is TrialStatus.FAILED and story.trial(0).attempt == 1
    assert len(story.told(TellTrialEnd)) == 1


@pytest.mark.parametrize("why_not", ["exit code", "canceled", "final result", "stopping", "time", "limit"])
def test_other_trials_are_not_run_again(why_not):
    retries = 0 if why_not == "limit" else 5
    story = Story(trial_concurrency=1, max_trial_retries=retries, max_experiment_seconds=50)
    story.begin(0)
    how = {"exit_code": 1} if why_not == "exit code" else {"signal": 9}
    if why_not == "canceled":
        story.tell(events.CancelRequested(story.trial(0).trial_id, story.now))
    elif why_not == "final result":
        story.report(0, 1, final=True)
    elif why_not == "stopping":
        story.tell(events.StopRequested(True, "stop", story.now))
    elif why_not == "time":
        story.now += 60
    story.end(0, **how)
    assert story.trial(0).status.is_final and story.trial(0).attempt == 0


def test_news_of_an_attempt_that_is_over_are_late():
    story = Story(trial_concurrency=1, max_trial_retries=1)
    one = story.trial(0)
    story.end(0, signal=9)
    report = events.Report(events.MetricKind.INTERMEDIATE, "r", 0, 1, story.now)
    late = events.TrialReported(one.trial_id, 0, (report,))
    result = story.tell(events.TrialStarted(one.trial_id, 0, story.now), late)
    assert result.late_reports == [late] and story.trial(0).status is TrialStatus.WAITING


def test_a_trial_to_be_run_again_comes_before_others_also_after_a_restart():
    story = Story(trial_concurrency=1, max_trial_retries=1)
    story.tell(events.TrialRequested({"x": 5}, "r", story.now), events.PauseRequested(story.now))
    story.end(0, signal=9)
    assert story.trial(0).waiting_reason.startswith("it is to be run again: killed by signal 9")
    story.restart()
    story.tell(events.UnpauseRequested(story.now))
    assert [one.sequence_number for one in story.done(SubmitTrial)] == [0]


def test_a_trial_found_dead_after_a_restart_is_run_again():
    story = Story(trial_concurrency=1, max_trial_retries=1)
    story.begin(0)
    story.restart()
    story.end(0, problem="its runner is gone")
    assert story.trial(0).attempt == 1 and len(story.done(SubmitTrial)) == 1


def test_too_many_failures_end_the_experiment_and_after_a_resume_the_next_one_does_again():
    story = Story(trial_concurrency=2, max_failed_trial_number=2)
    story.report(0, 1)
    story.end(0, exit_code=1)
    assert story.status is ExperimentStatus.RUNNING
    story.end(1, exit_code=7)
    story.end(2, signal=2)
    assert story.status is ExperimentStatus.ERROR
    assert story.experiment.end_reason.actor is Actor.LIMIT
    assert "max_failed_trial_number (2) is reached" in story.experiment.errors[0]
    assert "exit code 7" in story.experiment.errors[0]
    story.restart()
    assert story.status is ExperimentStatus.RUNNING
    story.end(len(story.trials) - 1, exit_code=1)
    assert story.status is ExperimentStatus.STOPPING and len(story.experiment.errors) == 2


def test_canceled_trials_and_retried_ones_are_no_failures():
    story = Story(trial_concurrency=2, max_failed_trial_number=1, max_trial_retries=1)
    story.tell(events.CancelRequested(story.trial(0).trial_id, story.now))
    story.end(0, signal=2)
    story.end(1, signal=9)
    assert story.status is ExperimentStatus.RUNNING


def test_a_trial_canceled_in_the_queue_is_told_to_the_tuner():
    story = Story(trial_concurrency=1)
    story.tell(events.TrialRequested({"x": 5}, "r", story.now))
    story.tell(events.CancelRequested(story.trial(1).trial_id, story.now))
    assert story.trial(1).status is TrialStatus.USER_CANCELED
    assert [call.trial_id for call in story.told(TellTrialEnd)] == [story.trial(1).trial_id]


@pytest.mark.parametrize(
    ("wanted", "expected"), [(None, [3.0, 2.0]), ("worst", [3.0, 2.0]), (-1.0, [-1.0, 3.0, 2.0])]
)
def test_what_the_tuner_is_told_of_a_trial_that_failed_without_a_result(wanted, expected):
    story = Story(trial_concurrency=1, stop_on_early_failures=False, failed_trial_result=wanted)
    for number, values, exit_code in ((0, (), 1), (1, (3.0,), 0), (2, (2.0,), 1)):
        story.begin(number)
        story.report(number, *values, final=True)
        story.end(number, exit_code=exit_code)
    # The first has no worse one before it; the third failed with a result of its own.
    assert [call.value for call in story.told(TellFinalResult)] == expected
    story.restart()
    story.begin(3)
    story.end(3, signal=9)
    failed = story.trial(3)
    assert failed.status is TrialStatus.FAILED and not failed.has_final_result and failed.objective is None
    told = [(call.value, call.stands_in) for call in story.told(TellFinalResult)]
    assert told == {None: [], "worst": [(2.0, True)], -1.0: [(-1.0, True)]}[wanted]
    kinds = [note.kind.name for note in story.notes if note.trial_id == failed.trial_id]
    assert kinds == ["PROPOSED", *["FINAL_RESULT" for _ in told], "TRIAL_END"]


def test_trials_that_are_stopped_or_run_again_have_no_result_made_for_them():
    story = Story(trial_concurrency=2, max_trial_retries=1, failed_trial_result=0.0)
    for number in range(2):
        story.begin(number)
    story.end(0, signal=9)
    story.tell(events.CancelRequested(story.trial(1).trial_id, story.now))
    story.end(1, signal=9)
    assert story.trial(1).status is TrialStatus.USER_CANCELED
    assert story.told(TellFinalResult) == []


@pytest.mark.parametrize(
    ("mode", "results", "expected"),
    [("maximize", (1.0, 2.0), 1.0), ("minimize", (1.0, 2.0), 2.0), ("maximize", None, None)],
)
def test_the_worst_result(mode, results, expected):
    assert result_of_failure("worst", mode, results) == expected
    assert result_of_failure(7.0, mode, results) == 7.0
    assert result_of_failure(None, mode, results) is None


@given(st.lists(st.none() | st.floats(allow_nan=False), max_size=6))
def test_the_lowest_and_the_highest_result(objectives):
    found = None
    for objective in objectives:
        found = with_result(found, objective)
    numbers = [one for one in objectives if one is not None and math.isfinite(one)]
    assert found == ((min(numbers), max(numbers)) if numbers else None)
