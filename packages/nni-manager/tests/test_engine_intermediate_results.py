"""Intermediate results that a tuner wants to hear, and the trials that it stops."""

from __future__ import annotations

import pytest
from nni_manager.engine import events
from nni_manager.engine.effects import (
    CancelTrial,
    RequestParameters,
    TellFinalResult,
    TellIntermediateResult,
    TellTrialEnd,
    ToAssessor,
    ToTuner,
)
from nni_manager.engine.statuses import Actor, ExperimentStatus, TrialStatus
from nni_manager.testing.engine_story import Story


@pytest.mark.parametrize("has_assessor", [False, True])
@pytest.mark.parametrize("hears", [False, True])
def test_who_hears_intermediate_results_hears_all_of_them_in_order(hears, has_assessor):
    story = Story(trial_concurrency=1, tuner_hears_results=hears, has_assessor=has_assessor)
    story.begin(0)
    story.report(0, 0.5, {"default": 1})
    story.report(0, 2, final=True, reporter="f")
    story.report(0, 0.5, None, first=1)
    trial_id = story.trial(0).trial_id
    told = [
        TellIntermediateResult(trial_id, 0, index, value)
        for index, value in enumerate([0.5, {"default": 1}, None])
    ]
    assert [action.call for action in story.done(ToAssessor)] == (told if has_assessor else [])
    calls = [action.call for action in story.done(ToTuner)][1:]
    assert [type(call) for call in calls if not isinstance(call, RequestParameters)] == (
        [TellIntermediateResult, TellIntermediateResult, TellFinalResult, TellIntermediateResult]
        if hears
        else [TellFinalResult]
    )
    assert [(call.number, call.index, call.value) for call in story.told(TellIntermediateResult)] == (
        [(2, 0, 0.5), (3, 1, {"default": 1}), (5, 2, None)] if hears else []
    )
    story.end(0)
    story.report(0, "late", first=7)
    assert len(story.told(TellIntermediateResult)) == 3 * hears


def test_a_trial_that_is_run_again_counts_from_0_again():
    story = Story(trial_concurrency=1, max_trial_retries=1, tuner_hears_results=True)
    story.begin(0)
    story.report(0, "a", "b")
    story.end(0, signal=9)
    story.begin(0)
    story.report(0, "c")
    assert [(call.index, call.value) for call in story.told(TellIntermediateResult)] == [
        (0, "a"),
        (1, "b"),
        (0, "c"),
    ]


def test_a_tuner_that_refused_is_not_asked_again_because_of_an_intermediate_result():
    story = Story(trial_concurrency=2, grid=1, tuner_hears_results=True)
    story.begin(0)
    asked = len(story.told(RequestParameters))
    story.report(0, 1, 2, 3)
    assert len(story.told(RequestParameters)) == asked
    assert story.status is ExperimentStatus.TUNER_NO_MORE_TRIAL
    story.end(0)
    assert len(story.told(RequestParameters)) == asked + 1
    assert story.status is ExperimentStatus.DONE


def test_results_that_come_while_it_stops_are_noted_for_the_next_tuner():
    story = Story(trial_concurrency=1, tuner_hears_results=True)
    story.begin(0)
    story.tell(events.StopRequested(True, "stop", story.now))
    story.report(0, "last")
    assert story.told(TellIntermediateResult) == []
    assert story.kinds()[-1] == "INTERMEDIATE_RESULT"
    assert story.notes[-1].data == {"index": 0, "value": "last"}


def test_a_verdict_of_the_tuner_stops_a_trial_and_survives_a_crash():
    story = Story(trial_concurrency=1, tuner_hears_results=True)
    story.begin(0)
    trial_id = story.trial(0).trial_id
    verdict = events.TrialJudgedBad(trial_id, "Mine stopped it", story.now, "tuner")
    story.tell(verdict, verdict)
    story.restart()
    assert story.done(CancelTrial) == [CancelTrial(trial_id, 0)]
    story.tell(verdict)
    story.end(0, exit_code=0)
    story.tell(verdict)
    ended = story.trial(0)
    assert (ended.status, ended.end_reason.actor, ended.end_reason.message) == (
        TrialStatus.EARLY_STOPPED,
        Actor.TUNER,
        "Mine stopped it",
    )
    assert [call.status for call in story.told(TellTrialEnd)] == [TrialStatus.EARLY_STOPPED]
