"""Pausing, and changes of the limits in every state."""

from __future__ import annotations

from dataclasses import replace

from nni_manager.engine import events
from nni_manager.engine.effects import RequestParameters, SubmitTrial
from nni_manager.engine.statuses import Actor, ExperimentStatus, TrialStatus
from nni_manager.testing.engine_story import Story


def change(story, **limits):
    changed = replace(story.engine.state.limits, **limits)
    story.tell(events.ConfigChanged(story.experiment.config, changed, story.now))


def test_a_paused_experiment_lets_trials_finish_and_starts_none():
    story = Story(trial_concurrency=1, max_experiment_seconds=50)
    story.tell(events.TrialRequested({"x": "mine"}, "r", story.now))
    story.now = 110
    story.tell(events.PauseRequested(story.now))
    assert story.experiment.paused and story.status is ExperimentStatus.RUNNING
    assert story.trial(1).waiting_reason == "the experiment is paused"
    story.begin(0)
    story.end(0)
    asked, submitted = len(story.told(RequestParameters)), len(story.done(SubmitTrial))
    story.now = 1000
    story.tell(events.TimePassed(story.now))
    assert story.status is ExperimentStatus.RUNNING and story.experiment.running_seconds == 10
    assert story.engine.next_wakeup() is None
    assert (len(story.told(RequestParameters)), len(story.done(SubmitTrial))) == (asked, submitted)
    story.tell(events.UnpauseRequested(story.now))
    assert len(story.done(SubmitTrial)) == submitted + 1
    assert (story.experiment.running_seconds, story.experiment.running_since) == (10, 1000)
    story.now = 1040
    story.tell(events.TimePassed(story.now))
    assert story.status is ExperimentStatus.NO_MORE_TRIAL


def test_a_pause_survives_a_restart_and_answers_are_queued():
    story = Story(trial_concurrency=2, tuner_is_asleep=True)
    story.now = 105
    story.tell(events.PauseRequested(story.now))
    story.tuner_is_asleep = False
    story.restart(seconds=100)
    assert story.experiment.paused and story.experiment.running_seconds == 5
    assert [trial.waiting_reason for trial in story.trials] == ["the experiment is paused"] * 2
    assert story.done(SubmitTrial) == []
    story.tell(events.UnpauseRequested(story.now))
    assert len(story.done(SubmitTrial)) == 2


def test_pausing_twice_or_unpausing_what_runs_changes_nothing():
    story = Story()
    assert story.tell(events.UnpauseRequested(150)).writes == []
    story.tell(events.PauseRequested(160))
    assert story.tell(events.PauseRequested(170)).writes == []
    story.tell(events.StopRequested(True, "stop", 180))
    assert story.experiment.paused
    story.tell(events.UnpauseRequested(190))
    assert story.experiment.paused, "it is stopping"


def test_a_paused_experiment_that_has_nothing_to_come_is_done():
    story = Story(max_trial_number=1, trial_concurrency=1)
    story.tell(events.PauseRequested(story.now))
    story.end(0)
    assert story.status is ExperimentStatus.DONE and not story.experiment.paused


def test_what_is_done_is_paused_for_when_it_goes_on():
    story = Story(max_trial_number=1, trial_concurrency=1)
    story.end(0)
    assert story.status is ExperimentStatus.DONE
    story.tell(events.PauseRequested(story.now))
    assert story.status is ExperimentStatus.DONE and story.experiment.paused
    change(story, max_trial_number=2)
    assert story.status is ExperimentStatus.RUNNING and story.experiment.running_since is None
    assert len(story.trials) == 1
    story.tell(events.UnpauseRequested(story.now))
    assert len(story.trials) == 2


def test_limits_lowered_below_what_there_is_end_the_experiment_when_its_trials_have_ended():
    story = Story(trial_concurrency=2)
    change(story, max_trial_number=1)
    assert story.status is ExperimentStatus.NO_MORE_TRIAL
    story.end(0)
    story.end(1)
    assert story.status is ExperimentStatus.DONE and len(story.trials) == 2


def test_limits_changed_while_paused_hold_once_it_goes_on():
    story = Story(trial_concurrency=1)
    story.tell(events.PauseRequested(story.now))
    change(story, trial_concurrency=3)
    assert len(story.trials) == 1
    story.tell(events.UnpauseRequested(story.now))
    assert len(story.trials) == 3


def test_a_shorter_limit_of_trials_holds_for_those_that_run():
    story = Story(trial_concurrency=1)
    story.begin(0)
    story.now = 150
    change(story, max_trial_seconds=60)
    assert story.engine.next_wakeup() == 160
    change(story, max_trial_seconds=40)
    assert story.trial(0).cancel_reason.actor is Actor.LIMIT
    change(story, max_trial_seconds=None)
    story.end(0, signal=2)
    assert story.trial(0).status is TrialStatus.SYS_CANCELED


def test_a_longer_limit_of_the_experiment_goes_on():
    story = Story(trial_concurrency=1, max_experiment_seconds=10)
    story.begin(0)
    story.now = 110
    story.tell(events.TimePassed(story.now))
    story.end(0)
    assert story.status is ExperimentStatus.DONE
    story.now = 500
    change(story, max_experiment_seconds=20)
    assert story.status is ExperimentStatus.RUNNING and len(story.trials) == 2
    change(story, max_experiment_seconds=5)
    assert story.status is ExperimentStatus.NO_MORE_TRIAL


def test_a_changed_concurrency_is_said_to_those_that_wait():
    story = Story(trial_concurrency=1)
    story.tell(events.TrialRequested({}, "a", story.now), events.TrialRequested({}, "b", story.now))
    change(story, trial_concurrency=2)
    assert story.trial(1).submitted and "trial_concurrency is 2" in story.trial(2).waiting_reason


def test_limits_of_an_experiment_that_was_stopped_are_kept_for_its_resume():
    story = Story(trial_concurrency=1)
    story.tell(events.StopRequested(True, "stop", story.now))
    story.end(0, signal=2)
    change(story, trial_concurrency=2)
    assert story.status is ExperimentStatus.STOPPED
    story.restart()
    assert len(story.done(SubmitTrial)) == 2
