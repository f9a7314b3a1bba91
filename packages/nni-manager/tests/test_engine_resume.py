"""An engine goes on from the record that another one left."""

from __future__ import annotations

from dataclasses import replace

import pytest
from nni_manager.engine import events
from nni_manager.engine.effects import (
    AcknowledgeReports,
    AdoptTrial,
    CancelTrial,
    RequestParameters,
    SubmitTrial,
    TellSearchSpace,
    ToTuner,
)
from nni_manager.engine.records import TunerNote
from nni_manager.engine.restoring import open_requests
from nni_manager.engine.statuses import Actor, ExperimentStatus, TrialStatus, TunerNoteKind
from nni_manager.storage.interface import StorageError
from nni_manager.storage.memory import MemoryStorage
from nni_manager.storage.restoring import restored_experiment
from nni_manager.testing.engine_story import Story


def test_a_running_trial_is_adopted_and_what_it_reported_meanwhile_is_stored_once_and_in_order():
    story = Story(trial_concurrency=1)
    story.begin(0)
    story.report(0, "a", "b")
    story.restart(seconds=50)
    one = story.trial(0)
    assert story.done(AdoptTrial) == [AdoptTrial(one.trial_id, 0, 20)]
    assert story.done(SubmitTrial) == []
    story.begin(0)
    assert story.trial(0).started_at == 100
    story.report(0, "a", "b", "c")
    assert [(metric.index, metric.value) for metric in story.metrics] == [(0, "a"), (1, "b"), (2, "c")]
    assert story.done(AcknowledgeReports)[-1].offset == 30
    story.end(0)
    assert story.trial(0).status is TrialStatus.SUCCEEDED
    assert [trial.sequence_number for trial in story.trials] == [0, 1]


def test_a_trial_whose_start_is_not_certain_is_submitted_again_and_a_queued_one_waits():
    story = Story(trial_concurrency=1)
    story.tell(events.TrialRequested({"x": 7}, "r", story.now))
    story.restart()
    assert [action.sequence_number for action in story.done(SubmitTrial)] == [0]
    assert story.trial(1).submitted is False and "slot" in story.trial(1).waiting_reason
    story.end(0)
    assert [action.sequence_number for action in story.done(SubmitTrial)] == [0, 1]


@pytest.mark.parametrize("has_started", [False, True])
def test_a_trial_that_was_to_stop_is_adopted_and_told_again(has_started):
    story = Story(trial_concurrency=1)
    if has_started:
        story.begin(0)
    one = story.trial(0)
    story.tell(events.CancelRequested(one.trial_id, story.now))
    assert story.trial(0).cancel_reason.actor is Actor.USER
    story.restart()
    assert story.actions[:2] == [AdoptTrial(one.trial_id, 0, 0), CancelTrial(one.trial_id, 0)]
    story.end(0, signal=2)
    assert story.trial(0).status is TrialStatus.USER_CANCELED and story.trial(0).cancel_reason is None


def test_an_open_request_is_not_told_by_the_engine_and_its_answer_counts():
    story = Story(trial_concurrency=3, tuner_is_asleep=True, max_trial_number=3)
    assert story.trials == []
    assert restored_experiment(story.storage).unanswered == (0, 1, 2)
    story.restart()
    assert story.told(RequestParameters) == []
    assert [trial.parameter_id for trial in story.trials] == [0, 1, 2]


def test_a_request_that_was_refused_for_now_is_still_owed():
    story = Story(trial_concurrency=2, grid=1)
    owed = tuple(story.engine.state.requests.owed)
    story.grid = 1
    story.restart()
    assert set(owed) <= story.engine.state.requests.owed
    story.tell(events.ParametersProposed(owed[0], {"x": "late"}, story.now))
    assert story.trials[-1].parameters == {"x": "late"}


def test_the_time_limit_of_a_trial_counts_from_its_start():
    story = Story(trial_concurrency=1, max_trial_seconds=30)
    story.begin(0)
    story.restart(seconds=10)
    assert story.engine.next_wakeup() == 130
    story.now = 130
    story.tell(events.TimePassed(story.now))
    assert story.trial(0).cancel_reason.actor is Actor.LIMIT


def test_time_without_a_manager_does_not_count():
    story = Story(max_experiment_seconds=50)
    story.now = 120
    story.restart(seconds=1000)
    assert (story.experiment.running_seconds, story.experiment.running_since) == (20, 1120)
    assert story.experiment.started_at == 100
    story.now = 1149
    story.tell(events.TimePassed(story.now))
    assert story.status is ExperimentStatus.RUNNING
    story.now = 1150
    story.tell(events.TimePassed(story.now))
    assert story.status is ExperimentStatus.NO_MORE_TRIAL


def test_how_long_it_ran_is_stored_every_minute():
    story = Story()
    assert story.engine.next_wakeup() == 160
    story.now = 160
    story.tell(events.TimePassed(story.now))
    assert (story.experiment.running_seconds, story.experiment.running_since) == (60, 160)
    assert story.engine.next_wakeup() == 220


def test_a_done_experiment_stays_done_and_goes_on_with_a_raised_limit():
    story = Story(max_trial_number=2)
    story.end(0)
    story.end(1)
    assert story.status is ExperimentStatus.DONE
    story.restart(seconds=100)
    assert story.status is ExperimentStatus.DONE and story.experiment.end_reason.actor is Actor.LIMIT
    assert story.experiment.running_seconds == 0
    story.restart(seconds=100, max_trial_number=3)
    assert story.status is ExperimentStatus.NO_MORE_TRIAL and len(story.trials) == 3
    story.end(2)
    assert story.status is ExperimentStatus.DONE


def test_a_space_that_was_explored_is_asked_again_after_a_resume():
    story = Story(grid=2)
    story.end(0)
    story.end(1)
    assert story.status is ExperimentStatus.DONE and story.experiment.end_reason.actor is Actor.TUNER
    assert restored_experiment(story.storage).owed == (2, 3)
    story.restart()
    assert story.status is ExperimentStatus.DONE and story.experiment.end_reason.actor is Actor.TUNER
    story.grid = 3
    story.restart()
    assert story.status in (ExperimentStatus.RUNNING, ExperimentStatus.TUNER_NO_MORE_TRIAL)
    assert len(story.trials) == 3


def test_a_stopped_experiment_goes_on_and_the_tuner_hears_what_happened_while_it_stopped():
    story = Story()
    story.begin(0)
    story.begin(1)
    story.tell(events.StopRequested(True, "Ctrl-C", story.now))
    story.report(0, 0.5, final=True)
    told = len(story.done(ToTuner))
    assert len(story.done(CancelTrial)) == 2
    story.end(0, signal=2)
    story.end(1, signal=2)
    assert story.status is ExperimentStatus.STOPPED
    assert story.kinds()[-3:] == ["FINAL_RESULT", "TRIAL_END", "TRIAL_END"]
    assert len(story.done(ToTuner)) == told, "it is told when it is made anew"
    story.restart()
    assert story.status is ExperimentStatus.RUNNING and story.experiment.ended_at is None
    assert [trial.sequence_number for trial in story.trials] == [0, 1, 2, 3]
    assert [trial.parameter_id for trial in story.trials] == [0, 1, 2, 3]


@pytest.mark.parametrize("ending", ["stop", "failure"])
def test_trials_that_had_no_slot_when_the_experiment_ended_run_after_a_resume(ending):
    story = Story()
    story.tell(events.TrialRequested({"x": 7}, "request", story.now))
    assert [trial.submitted for trial in story.trials] == [True, True, False]
    story.begin(0)
    story.begin(1)
    if ending == "stop":
        story.tell(events.StopRequested(True, "Ctrl-C", story.now))
    else:
        story.tell(events.AlgorithmFailed("tuner", "it raised", "", story.now))
    story.end(0, signal=2)
    story.end(1, signal=2)
    assert story.status is (ExperimentStatus.STOPPED if ending == "stop" else ExperimentStatus.ERROR)
    own = story.trials[2]
    assert own.status is TrialStatus.WAITING
    assert own.waiting_reason == (
        "the experiment ended before it started; it runs when the experiment is resumed"
    )
    story.restart()
    assert [run.trial_id for run in story.done(SubmitTrial)].count(own.trial_id) == 1
    assert story.trials[2].parameters == {"x": 7} and story.trials[2].submitted


@pytest.mark.parametrize("ending", ["stop", "failure"])
def test_trials_that_were_submitted_and_had_not_started_run_after_a_resume(ending):
    story = Story(trial_concurrency=3)
    story.begin(0)
    story.tell(events.CancelRequested(story.trial(2).trial_id, story.now))
    noted = len(story.kinds())
    if ending == "stop":
        story.tell(events.StopRequested(True, "Ctrl-C", story.now))
    else:
        story.tell(events.AlgorithmFailed("tuner", "it raised", "", story.now))
    for number in range(3):
        story.end(number, signal=2)
    assert story.status is (ExperimentStatus.STOPPED if ending == "stop" else ExperimentStatus.ERROR)
    canceled = TrialStatus.USER_CANCELED if ending == "stop" else TrialStatus.SYS_CANCELED
    statuses = [trial.status for trial in story.trials]
    assert statuses == [canceled, TrialStatus.WAITING, TrialStatus.USER_CANCELED]
    waits = story.trial(1)
    assert (waits.attempt, waits.submitted, waits.cancel_reason) == (1, False, None)
    assert waits.waiting_reason == (
        "the experiment ended before it started; it runs when the experiment is resumed"
    )
    assert story.kinds()[noted:] == ["TRIAL_END", "TRIAL_END"], "those of the two others"
    story.restart()
    runs = [run for run in story.done(SubmitTrial) if run.trial_id == waits.trial_id]
    assert [run.attempt for run in runs][-1] == 1
    story.begin(1)
    story.end(1)
    assert story.trial(1).status is TrialStatus.SUCCEEDED


@pytest.mark.parametrize("ending", ["stop", "failure"])
@pytest.mark.parametrize("resumes", [1, 2])
def test_a_trial_that_had_not_started_when_a_crash_cut_a_stop_short_runs_after_the_resume(ending, resumes):
    story = Story(trial_concurrency=3)
    story.begin(0)
    story.tell(events.CancelRequested(story.trial(2).trial_id, story.now))
    if ending == "stop":
        story.tell(events.StopRequested(True, "Ctrl-C", story.now))
    else:
        story.tell(events.AlgorithmFailed("tuner", "it raised", "", story.now))
    assert story.status is ExperimentStatus.STOPPING
    for _ in range(resumes):
        story.restart()
    waits = story.trial(1)
    assert story.done(SubmitTrial) == []
    assert CancelTrial(waits.trial_id, 0) in story.actions, "it may have started after all"
    for number in (1, 0, 2):
        story.end(number, problem="it was never started")
    canceled = TrialStatus.USER_CANCELED if ending == "stop" else TrialStatus.SYS_CANCELED
    statuses = [trial.status for trial in story.trials[:3]]
    assert statuses == [canceled, TrialStatus.WAITING, TrialStatus.USER_CANCELED]
    assert (story.trial(1).attempt, story.trial(1).cancel_reason) == (1, None)
    assert [run.attempt for run in story.done(SubmitTrial) if run.trial_id == waits.trial_id] == [1]
    story.begin(1)
    story.end(1)
    assert story.trial(1).status is TrialStatus.SUCCEEDED


def test_an_attempt_that_was_stopped_before_it_started_is_no_retry():
    story = Story(trial_concurrency=1, max_trial_retries=1)
    story.tell(events.StopRequested(True, "Ctrl-C", story.now))
    story.end(0, problem="it was never started")
    story.restart()
    for _ in range(2):
        story.begin(0)
        story.end(0, signal=9)
    assert (story.trial(0).status, story.trial(0).attempt) == (TrialStatus.FAILED, 2)


def test_a_trial_that_had_started_unseen_when_a_crash_cut_a_stop_short_stays_canceled():
    story = Story(trial_concurrency=1)
    story.tell(events.StopRequested(True, "Ctrl-C", story.now))
    story.restart()
    story.begin(0)
    story.end(0, signal=2)
    assert story.trial(0).status is TrialStatus.USER_CANCELED
    assert story.trial(0).end_reason.message == "stopped with the experiment, which was resumed"


@pytest.mark.parametrize("by", ["the user", "another stop"])
def test_a_trial_of_a_stop_that_a_resume_called_off_can_be_stopped_again(by):
    story = Story(trial_concurrency=1)
    story.tell(events.StopRequested(True, "Ctrl-C", story.now))
    story.restart()
    if by == "the user":
        story.tell(events.CancelRequested(story.trial(0).trial_id, story.now))
    else:
        story.tell(events.StopRequested(True, "Ctrl-C again", story.now))
    story.end(0, problem="it was never started")
    if by == "the user":
        assert story.trial(0).status is TrialStatus.USER_CANCELED
    else:
        assert story.status is ExperimentStatus.STOPPED
        assert (story.trial(0).status, story.trial(0).attempt) == (TrialStatus.WAITING, 1)


def test_requests_that_a_stop_left_open_are_withdrawn_and_never_asked_under_the_same_id_again():
    story = Story(tuner_is_asleep=True)
    story.tell(events.StopRequested(True, "Ctrl-C", story.now))
    assert story.status is ExperimentStatus.STOPPED
    assert story.notes[-1] == TunerNote(TunerNoteKind.WITHDRAWN, 0, (0, 1))
    story.tuner_is_asleep = False
    story.restart()
    assert [trial.parameter_id for trial in story.trials] == [2, 3]


def test_a_proposal_that_comes_too_late_is_noted_with_its_parameters():
    story = Story(trial_concurrency=1, tuner_is_asleep=True)
    story.tell(events.TrialRequested({"x": 1}, "r", story.now))
    story.tell(events.StopRequested(True, "Ctrl-C", story.now))
    story.tell(events.ParametersProposed(0, {"x": 0}, story.now))
    assert story.notes[-1] == TunerNote(TunerNoteKind.PROPOSED, 0, (0,), "", {"x": 0})


def test_trials_that_a_lost_service_left_unknown_are_found_and_go_on():
    story = Story()
    story.begin(0)
    story.tell(events.TrainingServiceFailed("gone", story.now))
    assert {trial.status for trial in story.trials} == {TrialStatus.UNKNOWN}
    assert {trial.cancel_reason for trial in story.trials} == {None}
    story.restart(seconds=60)
    assert len(story.done(AdoptTrial)) == 2 and story.done(CancelTrial) == []
    story.begin(0)
    assert (story.trial(0).status, story.trial(0).started_at) == (TrialStatus.RUNNING, 100)
    story.end(0)
    story.end(1, problem="it never started")
    assert [trial.status for trial in story.trials[:2]] == [TrialStatus.SUCCEEDED, TrialStatus.FAILED]


@pytest.mark.parametrize("fault", ["tuner", "early failures"])
def test_an_experiment_that_failed_can_go_on(fault):
    story = Story(trial_concurrency=1)
    if fault == "tuner":
        story.tell(events.AlgorithmFailed("tuner", "boom", "Traceback", story.now))
        story.end(0, signal=2)
    else:
        for number in range(3):
            story.end(number, exit_code=1)
    assert story.status is ExperimentStatus.ERROR
    errors = story.experiment.errors
    story.restart()
    assert story.status is ExperimentStatus.RUNNING and story.experiment.errors == errors
    story.end(len(story.trials) - 1, exit_code=1)
    assert story.status is ExperimentStatus.RUNNING, "the first failures count anew"


def test_a_crash_does_not_forget_the_first_failures():
    story = Story(trial_concurrency=1)
    story.end(0, exit_code=1)
    story.end(1, exit_code=1)
    story.restart()
    story.end(2, exit_code=1)
    assert story.status is ExperimentStatus.ERROR


def test_an_experiment_whose_stop_a_crash_cut_short_runs_again():
    story = Story()
    story.begin(0)
    story.tell(events.StopRequested(True, "Ctrl-C", story.now))
    assert story.status is ExperimentStatus.STOPPING
    story.restart()
    assert story.status is ExperimentStatus.RUNNING
    story.end(0, signal=2)
    assert story.trial(0).status is TrialStatus.USER_CANCELED


def test_an_experiment_that_never_started_starts():
    story = Story(trial_concurrency=1)
    fresh = replace(
        restored_experiment(story.storage),
        experiment=replace(story.experiment, status=ExperimentStatus.INITIALIZED, started_at=None),
        trials=(),
        last_number=0,
    )
    engine = type(story.engine).restore(fresh, story.engine.state.limits)
    engine.resume(200.0)
    assert engine.state.experiment.started_at == 200 and engine.state.experiment.status.value == "RUNNING"


def test_a_search_space_changed_while_it_runs_is_noted_with_the_one_before():
    story = Story(config={"searchSpace": {"x": 1}})
    number = story.engine.reserve_call_number()
    story.tell(events.TunerProcessed(number, story.now))
    limits = story.engine.state.limits
    story.tell(events.ConfigChanged({"searchSpace": {"x": 2}}, limits, story.now))
    assert story.notes[-2:] == [
        TunerNote(TunerNoteKind.SEARCH_SPACE, 0, data={"x": 1}),
        TunerNote(TunerNoteKind.SEARCH_SPACE, number, data={"x": 2}),
    ]
    count = len(story.notes)
    story.tell(events.ConfigChanged({"searchSpace": {"x": 2}, "a": 1}, limits, story.now))
    assert len(story.notes) == count and story.experiment.config["a"] == 1
    story.end(0)
    assert story.kinds()[-3:] == ["TRIAL_END", "ASKED", "PROPOSED"]


def test_a_search_space_changed_by_a_resume_is_noted_and_keeps_nobody_waiting():
    story = Story(config={"searchSpace": {"x": 1}}, max_trial_number=2, tuner_is_asleep=True)
    story.tuner_is_asleep = False
    story.restart(config={"searchSpace": {"x": 2}})
    notes = [note for note in story.notes if note.kind is TunerNoteKind.SEARCH_SPACE]
    assert [(note.number, note.data) for note in notes] == [(0, {"x": 1}), (2, {"x": 2})]
    assert story.told(TellSearchSpace) == [] and story.experiment.config == {"searchSpace": {"x": 2}}
    story.end(0)
    story.end(1)
    assert story.status is ExperimentStatus.DONE


def test_what_is_open_at_the_end_of_a_history():
    def asked(number, *ids, data=None):
        return TunerNote(TunerNoteKind.ASKED, number, ids, data=data)

    def proposed(one):
        return TunerNote(TunerNoteKind.PROPOSED, 0, (one,), "t")

    refused = TunerNote(TunerNoteKind.REFUSED, 0, (2, 3))
    end = TunerNote(TunerNoteKind.TRIAL_END, 5, (), "t")
    assert open_requests([]) == ((), (), 0, None, {})
    assert open_requests([asked(1, 0, 1, 2, 3), proposed(1)]) == ((0, 2, 3), (), 1, None, {})
    assert open_requests([asked(1, 0, 1, 2, 3), proposed(0), refused, end]) == ((1,), (2, 3), 5, None, {})
    late = [asked(1, 1, 2, 3), refused, proposed(2), TunerNote(TunerNoteKind.WITHDRAWN, 0, (1,))]
    assert open_requests(late) == ((), (3,), 1, None, {})
    first = [asked(1, 4, data={"initial": 0})]
    assert open_requests(first) == ((4,), (), 1, 4, {})
    assert open_requests([*first, proposed(4), asked(2, 5)]) == ((5,), (), 2, None, {})
    held = [
        asked(1, 0, 1),
        *(TunerNote(TunerNoteKind.PROPOSED, 0, (one,), data={"x": one}) for one in (0, 1)),
    ]
    assert open_requests([*held, proposed(0)]) == ((), (), 1, None, {1: {"x": 1}})


def test_a_record_without_an_experiment_cannot_go_on():
    with pytest.raises(StorageError, match="no experiment"):
        restored_experiment(MemoryStorage())
