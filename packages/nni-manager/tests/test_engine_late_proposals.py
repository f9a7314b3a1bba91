"""Parameters that a tuner hands in later than they were asked for, or when no trial may be created."""

from __future__ import annotations

from dataclasses import replace

import pytest
from nni_manager.engine import events
from nni_manager.engine.effects import RequestParameters
from nni_manager.engine.statuses import ExperimentStatus, TrialStatus, TunerNoteKind
from nni_manager.experiments.algorithm_history import tuner_history
from nni_manager.testing.engine_story import Story


def owe(story: Story, *ids: int) -> None:
    """Lets the tuner hand in what it owes."""
    story.tell(*[events.ParametersProposed(one, {"x": one, "late": True}, story.now) for one in ids])


def raise_limit(story: Story, number: int, *, restart: bool) -> None:
    if restart:
        story.restart(max_trial_number=number)
    else:
        limits = replace(story.engine.state.limits, max_trial_number=number)
        story.tell(events.ConfigChanged(story.experiment.config, limits, story.now))


@pytest.mark.parametrize("restart", [False, True])
def test_what_comes_beyond_the_limit_becomes_a_trial_once_that_is_raised(restart: bool) -> None:
    """The tuner counts on it: in PBT the next generation would never start."""
    story = Story(grid=2, trial_concurrency=4, max_trial_number=3)
    assert sorted(story.engine.state.requests.owed) == [2]
    story.grid = 3
    story.end(0)  # asked for one more, which is the last trial there may be
    owe(story, 2)
    assert [trial.parameter_id for trial in story.trials] == [0, 1, 3]
    for number in (1, 2):
        story.end(number)
    assert story.status is ExperimentStatus.DONE
    story.grid = 3
    raise_limit(story, 5, restart=restart)
    assert [trial.parameter_id for trial in story.trials] == [0, 1, 3, 2]
    assert story.trial(3).parameters == {"x": 2, "late": True}
    assert story.status is ExperimentStatus.TUNER_NO_MORE_TRIAL
    story.end(3)
    assert story.status is ExperimentStatus.DONE
    proposals = [note for note in story.notes if note.kind is TunerNoteKind.PROPOSED]
    assert [(*note.parameter_ids, note.trial_id != "") for note in proposals][-2:] == [(2, False), (2, True)]
    told = [entry for entry in tuner_history(story.storage).entries if getattr(entry, "parameter_id", 0) == 2]
    assert [type(entry).__name__ for entry in told] == ["ParametersProposed", "TellTrialEnd"]


def test_what_comes_while_the_experiment_stops_is_a_trial_of_the_resumed_one() -> None:
    story = Story(trial_concurrency=1, tuner_is_asleep=True)
    story.tell(events.StopRequested(True, "Ctrl-C", story.now))
    assert story.status is ExperimentStatus.STOPPED
    other = Story(trial_concurrency=2, grid=1)
    other.begin(0)
    other.tell(events.StopRequested(True, "Ctrl-C", other.now))
    owe(other, 1)
    other.end(0, signal=15)
    assert other.status is ExperimentStatus.STOPPED and len(other.trials) == 1
    other.restart()
    assert [trial.parameter_id for trial in other.trials] == [0, 1]
    assert other.trial(1).status is TrialStatus.WAITING


def test_what_a_tuner_owed_when_the_experiment_was_done_is_taken_when_it_goes_on() -> None:
    for restart in (False, True):
        story = Story(grid=1, trial_concurrency=2, max_trial_number=2)
        story.end(0)
        assert story.status is ExperimentStatus.DONE
        raise_limit(story, 4, restart=restart)
        story.grid = 2
        raise_limit(story, 5, restart=restart)
        owe(story, 1)
        assert 1 in [trial.parameter_id for trial in story.trials]


def test_a_tuner_that_has_refused_is_asked_for_one_until_it_proposes_again() -> None:
    """Else what it owes would grow with the square of the number of slots."""
    story = Story(grid=8, trial_concurrency=8)
    for number in range(5):
        story.report(number, 1.0, final=True)
        story.end(number)
    asked = [call.parameter_ids for call in story.told(RequestParameters)]
    assert asked == [tuple(range(8)), *((8 + one,) for one in range(len(asked) - 1))]
    assert len(asked) == 1 + 1 + 2 * 4
    story.grid = 20
    story.end(5)
    assert len(story.engine.state.active) == 8


def test_why_there_are_no_more_trials_is_said_in_the_words_of_the_tuner() -> None:
    """Row 94: nobody is to think that the experiment is over."""
    story = Story(trial_concurrency=2, tuner_is_asleep=True)
    number = story.told(RequestParameters)[0].number
    waiting = events.ParametersRefused((1,), "generation 1 starts when all trials have ended")
    proposed = events.ParametersProposed(0, {"x": 0}, story.now)
    story.tell(proposed, waiting, events.TunerProcessed(number, story.now))
    assert story.status is ExperimentStatus.TUNER_NO_MORE_TRIAL
    assert story.experiment.end_reason.message == "generation 1 starts when all trials have ended"
    owe(story, 1)
    assert story.status is ExperimentStatus.RUNNING and story.experiment.end_reason is None


def test_a_refusal_that_crosses_the_end_of_the_last_trial_does_not_end_the_experiment():
    story = Story()
    story.tuner_is_asleep = True
    story.end(0)
    asked = story.told(RequestParameters)[-1]
    assert asked.parameter_ids == (2,)
    last = story.trial(1)
    story.tell(
        events.TrialEnded(last.trial_id, 0, story.now, exit_code=0),
        events.ParametersRefused((2,), "one trial runs still, and the others come later"),
        events.TunerProcessed(asked.number, story.now),
    )
    again = story.told(RequestParameters)[-1]
    assert again.parameter_ids == (3,)
    story.tell(events.TunerProcessed(again.number, story.now))
    assert story.status is ExperimentStatus.TUNER_NO_MORE_TRIAL, "it has not said that there is no more"
    story.tell(events.ParametersProposed(2, {"x": 2}, story.now))
    assert story.status is ExperimentStatus.RUNNING and len(story.trials) == 3
    story.end(2)
    story.tell(events.ParametersRefused((3,), "no more"), events.TunerProcessed(again.number + 9, story.now))
    assert story.told(RequestParameters)[-1].parameter_ids == (4,)
    story.tell(events.ParametersRefused((4,), "no more"))
    assert story.status is ExperimentStatus.DONE
