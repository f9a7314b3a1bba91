"""Parameters that do not come from the tuner: initial ones, customized trials, imported results."""

from __future__ import annotations

from nni_manager.engine import events
from nni_manager.engine.effects import (
    RequestParameters,
    SubmitTrial,
    TellFinalResult,
    TellImportedTrials,
)
from nni_manager.engine.records import TunerNote
from nni_manager.engine.statuses import ExperimentStatus, ParameterSource, TrialStatus, TunerNoteKind
from nni_manager.testing.engine_story import Story

SPACE = {"x": {"_type": "uniform", "_value": [0, 1]}, "y": {"_type": "choice", "_value": [1, 2]}}


def config(*initial, space=SPACE):
    return {"searchSpace": space, "initialParameters": list(initial)}


def sources(story):
    return [trial.parameter_source.name for trial in story.trials]


def test_initial_parameters_come_first_in_order_and_count():
    story = Story(config=config({"x": 1, "y": 1}, {"y": 2, "x": 0}, {"x": 2, "y": 2}), max_trial_number=4)
    assert [trial.parameters for trial in story.trials] == [{"x": 1, "y": 1}, {"y": 2, "x": 0}]
    assert [trial.parameter_id for trial in story.trials] == [None, None]
    assert story.told(RequestParameters) == []
    story.report(0, 0.5, final=True)
    (told,) = story.told(TellFinalResult)
    assert told.customized and told.parameter_id is None
    for number in range(4):
        story.end(number)
    assert sources(story) == ["INITIAL"] * 3 + ["ALGORITHM"]
    assert story.status is ExperimentStatus.DONE and story.experiment.initial_count == 3


def test_partial_ones_are_completed_by_the_tuner_and_keep_their_order():
    story = Story(config=config({"y": 7}, {"x": 1, "y": 1}), trial_concurrency=3, tuner_is_asleep=True)
    assert story.trials == [] and [call.parameter_ids for call in story.told(RequestParameters)] == [(0,)]
    story.tuner_is_asleep = False
    story.proposal = {"y": 1}
    story.answer(story.told(RequestParameters)[0])
    assert [(trial.parameters, trial.parameter_id) for trial in story.trials] == [
        ({"y": 7, "x": 0}, 0),
        ({"x": 1, "y": 1}, None),
        ({"y": 1, "x": 1}, 1),
    ]
    assert sources(story) == ["INITIAL", "INITIAL", "ALGORITHM"]
    own = TunerNote(TunerNoteKind.PROPOSED, 0, (0,), story.trial(0).trial_id, {"y": 1, "x": 0})
    assert own in story.notes
    assert story.notes[-1] == TunerNote(TunerNoteKind.PROPOSED, 0, (1,), story.trial(2).trial_id)
    story.report(0, 0.5, final=True)
    assert story.told(TellFinalResult)[0].parameters == {"y": 7, "x": 0}
    assert not story.told(TellFinalResult)[0].customized


def test_one_that_a_crash_interrupted_is_completed_under_the_same_id():
    story = Story(config=config({"y": 7}, {"x": 1, "y": 1}), tuner_is_asleep=True)
    story.tuner_is_asleep = False
    story.restart()
    assert [(trial.parameters["y"], trial.parameter_id) for trial in story.trials] == [(7, 0), (1, None)]
    story.restart()
    assert len(story.trials) == 2 and story.experiment.initial_count == 2


def test_one_that_a_stop_or_a_refusal_left_is_tried_again():
    story = Story(config=config({"y": 7}), tuner_is_asleep=True)
    story.tell(events.StopRequested(True, "stop", story.now))
    assert story.experiment.initial_count == 0
    story.tuner_is_asleep = False
    story.grid = 0
    story.restart()
    assert story.experiment.initial_count == 0 and story.trials == []
    story.grid = None
    story.restart()
    assert (story.trial(0).parameters["y"], story.trial(0).parameter_source) == (7, ParameterSource.INITIAL)
    assert story.trial(1).parameter_source is ParameterSource.ALGORITHM


def test_any_search_space_that_names_nothing_is_complete():
    story = Story(config=config({"y": 7}, space=["a", "list"]), trial_concurrency=1)
    assert (story.trial(0).parameters, story.trial(0).parameter_id) == ({"y": 7}, None)


def test_a_customized_trial_is_queued_before_the_tuner_is_asked_and_counts():
    story = Story(trial_concurrency=1, max_trial_number=2)
    story.tell(events.TrialRequested({"x": "mine"}, "r1", story.now))
    one = story.trial(1)
    assert (one.parameter_source, one.parameter_id, one.create_request_id, one.status) == (
        ParameterSource.CUSTOMIZED,
        None,
        "r1",
        TrialStatus.WAITING,
    )
    assert story.engine.trial_with_request("r1") == one.trial_id
    story.end(0)
    assert [one.sequence_number for one in story.done(SubmitTrial)] == [0, 1]
    story.report(1, 3, final=True)
    assert story.told(TellFinalResult)[-1].customized
    story.end(1)
    assert story.status is ExperimentStatus.DONE and len(story.trials) == 2


def test_the_same_request_creates_one_trial_also_after_a_restart():
    story = Story(trial_concurrency=1)
    wanted = events.TrialRequested({"x": "mine"}, "r1", story.now)
    story.tell(wanted, wanted)
    story.restart()
    story.tell(wanted)
    assert len(story.trials) == 2
    assert story.storage.trial_of_request("r1").record == story.trial(1)


def test_why_no_trial_may_be_created():
    story = Story(trial_concurrency=1, max_trial_number=1, max_experiment_seconds=50)
    assert story.engine.why_no_trial(story.now) == "max_trial_number (1) is reached"
    story.tell(events.TrialRequested({"x": "mine"}, "r1", story.now))
    assert len(story.trials) == 1 and story.engine.trial_with_request("r1") is None
    assert story.engine.why_no_trial(150) == "max_experiment_duration (50 s) is reached"
    story.end(0)
    assert story.engine.why_no_trial(story.now) == "the experiment is DONE"


def test_a_proposal_for_which_a_customized_trial_left_no_room_is_noted():
    story = Story(trial_concurrency=1, max_trial_number=1, tuner_is_asleep=True)
    story.tell(events.TrialRequested({"x": "mine"}, "r1", story.now))
    story.answer(story.told(RequestParameters)[0])
    assert len(story.trials) == 1
    assert story.notes[-1] == TunerNote(TunerNoteKind.PROPOSED, 0, (0,), "", {"x": 0})


def test_imported_results_are_told_once_and_wake_a_tuner_that_had_no_more():
    story = Story(trial_concurrency=2, grid=1)
    story.begin(0)
    story.grid = 5
    found = ({"parameter": {"x": 1}, "value": 0.5},)
    story.tell(events.TrialsImported(found, "i1"))
    story.restart()
    story.tell(events.TrialsImported(found, "i1"))
    noted = [note for note in story.notes if note.kind is TunerNoteKind.IMPORTED]
    assert [note.data for note in noted] == [list(found)] and story.told(TellImportedTrials) == []
    assert story.experiment.import_request_ids == ("i1",) and len(story.trials) == 2
