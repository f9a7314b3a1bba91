"""The state machine of a running experiment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from nni_manager.engine import clock, events
from nni_manager.engine.changing import change_config
from nni_manager.engine.customized import create_customized_trial, import_trials
from nni_manager.engine.effects import Action, Write
from nni_manager.engine.ending import begin_end, cancel_trial, fail, fail_at_once, settle
from nni_manager.engine.initial import initial_parameters_of
from nni_manager.engine.limits import Limits
from nni_manager.engine.pausing import pause, unpause
from nni_manager.engine.records import EndReason, ExperimentRecord, TrialRecord
from nni_manager.engine.restoring import RestoredExperiment, restore, resume
from nni_manager.engine.state import State, Step
from nni_manager.engine.statuses import Actor, ExperimentStatus
from nni_manager.engine.supply import fill_slots, take_proposal, take_refusal
from nni_manager.engine.trial_events import trial_ended, trial_reported, trial_started, trial_waits


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step wants done.

    Attributes:
        writes: What to store, in one transaction.
        actions: What to do after that, in order.
        late_reports: Results of trials that have ended. They change nothing here; they are to be stored.
    """

    writes: list[Write]
    actions: list[Action]
    late_reports: list[events.TrialReported]


class Engine:
    """Decides everything that happens to one experiment from its start to its end."""

    def __init__(
        self,
        experiment: ExperimentRecord,
        limits: Limits,
        *,
        has_assessor: bool = False,
        tuner_hears_results: bool = False,
        initial_parameters: Sequence[dict[str, Any]] | None = None,
    ) -> None:
        """Makes the engine of an experiment that has not started.

        Args:
            experiment: The experiment, INITIALIZED.
            limits: The limits it runs under.
            has_assessor: Whether intermediate results are told to an assessor.
            tuner_hears_results: Whether they are told to the tuner.
            initial_parameters: What is tried first; None for what the configuration has.
        """
        initial = initial_parameters_of(experiment) if initial_parameters is None else initial_parameters
        self.state = State(
            experiment,
            limits,
            has_assessor=has_assessor,
            tuner_hears_results=tuner_hears_results,
            initial_parameters=tuple(initial),
        )
        self._alive_until = experiment.created_at

    @classmethod
    def restore(
        cls,
        restored: RestoredExperiment,
        limits: Limits,
        *,
        has_assessor: bool = False,
        tuner_hears_results: bool = False,
        initial_parameters: Sequence[dict[str, Any]] | None = None,
    ) -> Engine:
        """Makes the engine of an experiment that an earlier engine left; `resume` goes on with it.

        Args:
            restored: What the record has of it.
            limits: The limits it is to run under.
            has_assessor: Whether intermediate results are told to an assessor.
            tuner_hears_results: Whether they are told to the tuner.
            initial_parameters: What is tried first; None for what the configuration has.
        """
        engine = cls(
            restored.experiment,
            limits,
            has_assessor=has_assessor,
            tuner_hears_results=tuner_hears_results,
            initial_parameters=initial_parameters,
        )
        restore(engine.state, restored)
        engine._alive_until = restored.alive_until
        return engine

    def start(self, at: float) -> StepResult:
        """Starts the experiment: its clock runs and the tuner is asked for the first parameters."""
        step = Step(self.state)
        step.change_experiment(
            status=ExperimentStatus.RUNNING,
            started_at=self.state.experiment.started_at or at,
            running_since=at,
        )
        return self._finish(step, at)

    def resume(self, at: float, config: dict[str, Any] | None = None) -> StepResult:
        """Goes on with an experiment that was restored, whatever its status; one that was paused stays so.

        Trials that ran are adopted, those that were owed are submitted. The tuner is not told again what was
        open: who made it anew out of its history does that, and the answers count here as if never asked.

        Args:
            at: The time now.
            config: The configuration to go on with; None for the recorded one.
        """
        step = Step(self.state)
        resume(self.state, step, self._alive_until, at, config)
        return self._finish(step, at)

    def step(self, happened: Iterable[events.Event], at: float) -> StepResult:
        """Takes events in the order they happened.

        Args:
            happened: The events.
            at: The time now, not before any of them.
        """
        step = Step(self.state)
        for event in happened:
            _HANDLERS[type(event)](self.state, step, event)
        return self._finish(step, at)

    def reserve_call_number(self) -> int:
        """Returns the number of the next call to the tuner, for a call that is made beside the engine.

        Of such calls only changes of the search space come into the history, with the ConfigChanged that
        follows when the tuner has taken it.
        """
        return self.state.requests.reserve_call_number()

    def next_wakeup(self) -> float | None:
        """Returns when TimePassed is to be told, None when time alone changes nothing."""
        return clock.next_wakeup(self.state)

    def active_trial(self, trial_id: str) -> TrialRecord | None:
        """Returns a trial that has not ended, None for any other id."""
        trial = self.state.active.get(trial_id)
        return None if trial is None else trial.record

    def trial_with_request(self, request_id: str) -> str | None:
        """Returns the id of the trial that a request created lately, None when none is known here."""
        return self.state.trials_of_requests.get(request_id)

    def why_no_trial(self, at: float) -> str | None:
        """Returns why no trial may be created now, None when one may be."""
        return self.state.why_no_trial(at)

    def _finish(self, step: Step, at: float) -> StepResult:
        clock.pass_time(self.state, step, at)
        settle(self.state, step, at)
        fill_slots(self.state, step, at)
        return StepResult(step.writes(), step.actions, step.late_reports)


def _training_service_failed(state: State, step: Step, event: events.TrainingServiceFailed) -> None:
    fail_at_once(state, step, EndReason(Actor.PLATFORM, event.message), event.at)


def _tuner_processed(state: State, step: Step, event: events.TunerProcessed) -> None:
    state.requests.last_processed = max(state.requests.last_processed, event.number)


def _algorithm_failed(state: State, step: Step, event: events.AlgorithmFailed) -> None:
    message = f"the {event.algorithm} failed: {event.message}"
    error = f"{message}\n{event.traceback}".rstrip()
    fail(state, step, EndReason(Actor.TUNER, message), error, event.at)


def _trial_judged_bad(state: State, step: Step, event: events.TrialJudgedBad) -> None:
    trial = state.active.get(event.trial_id)
    if trial is not None:
        actor = Actor.TUNER if event.algorithm == "tuner" else Actor.ASSESSOR
        cancel_trial(state, step, trial, EndReason(actor, event.message), event.at)


def _cancel_requested(state: State, step: Step, event: events.CancelRequested) -> None:
    trial = state.active.get(event.trial_id)
    if trial is not None:
        cancel_trial(state, step, trial, EndReason(Actor.USER, "canceled by the user"), event.at)


def _stop_requested(state: State, step: Step, event: events.StopRequested) -> None:
    if not state.is_open:
        return
    reason = EndReason(Actor.USER if event.by_user else Actor.MANAGER, event.message)
    begin_end(state, step, ExperimentStatus.STOPPED, reason, event.at, reason)


def _origin_found(state: State, step: Step, event: events.OriginFound) -> None:
    step.change_experiment(origin=event.origin)


def _warning_raised(state: State, step: Step, event: events.WarningRaised) -> None:
    if event.message not in state.experiment.warnings:
        step.change_experiment(warnings=(*state.experiment.warnings, event.message))


def _time_passed(state: State, step: Step, event: events.TimePassed) -> None:
    """Does nothing: every step looks at the time."""


_HANDLERS: dict[type, Callable[[State, Step, Any], None]] = {
    events.TrialStarted: trial_started,
    events.TrialWaits: trial_waits,
    events.TrialReported: trial_reported,
    events.TrialEnded: trial_ended,
    events.TrainingServiceFailed: _training_service_failed,
    events.ParametersProposed: take_proposal,
    events.ParametersRefused: take_refusal,
    events.TunerProcessed: _tuner_processed,
    events.AlgorithmFailed: _algorithm_failed,
    events.TrialJudgedBad: _trial_judged_bad,
    events.CancelRequested: _cancel_requested,
    events.StopRequested: _stop_requested,
    events.ConfigChanged: change_config,
    events.TrialRequested: create_customized_trial,
    events.TrialsImported: import_trials,
    events.PauseRequested: pause,
    events.UnpauseRequested: unpause,
    events.OriginFound: _origin_found,
    events.WarningRaised: _warning_raised,
    events.TimePassed: _time_passed,
}
