"""How an engine goes on with an experiment that an earlier one left, at its end or by a crash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nni_manager.engine.active_trial import ActiveTrial
from nni_manager.engine.changing import take_config
from nni_manager.engine.clock import set_deadlines
from nni_manager.engine.customized import remember_request
from nni_manager.engine.effects import AdoptTrial, CancelTrial
from nni_manager.engine.ending import call_off_end
from nni_manager.engine.pausing import explain_waiting
from nni_manager.engine.records import ExperimentRecord, TrialRecord, TunerNote
from nni_manager.engine.state import State, Step
from nni_manager.engine.statuses import ExperimentStatus, MetricKind, TrialStatus, TunerNoteKind
from nni_manager.engine.supply import submission


@dataclass(frozen=True, slots=True)
class TrialPosition:
    """How far the results of a trial's present attempt are stored.

    Attributes:
        intermediate_count: How many intermediate results the attempt has.
        final_count: How many final results it has.
        reporter_numbers: The highest number stored of each of its reporters.
        end_offset: The position in its report file up to which results are stored.
    """

    intermediate_count: int = 0
    final_count: int = 0
    reporter_numbers: dict[str, int] = field(default_factory=dict)
    end_offset: int = 0


@dataclass(frozen=True, slots=True)
class RestoredExperiment:
    """What the record has of an experiment that is to go on. `storage.restoring` reads it.

    Attributes:
        experiment: The experiment.
        trials: Those that have not ended, by rising sequence number.
        positions: How far the results of each of them are stored; none for one without results.
        failed_count: How many trials have failed.
        any_success_or_report: Whether any trial has succeeded or reported a result.
        unanswered: The ids that the tuner was asked for and has not answered, rising.
        owed: The ids that it refused for now, rising.
        last_number: The number of the last call to the tuner.
        alive_until: The last moment at which the earlier manager is known to have run.
        initial_request: The unanswered id under which the tuner completes initial parameters, None if none.
        held: Proposed parameters by id that no trial was made of yet.
        results: The lowest and the highest objective of any trial, None when there is none.
    """

    experiment: ExperimentRecord
    trials: tuple[TrialRecord, ...]
    positions: Mapping[str, TrialPosition]
    failed_count: int
    any_success_or_report: bool
    unanswered: tuple[int, ...]
    owed: tuple[int, ...]
    last_number: int
    alive_until: float
    initial_request: int | None = None
    held: Mapping[int, Any] = field(default_factory=dict)
    results: tuple[float, float] | None = None


class OpenRequests(NamedTuple):
    """What is open between an experiment and its tuner.

    Attributes:
        unanswered: The ids that the tuner was asked for and has not answered, rising.
        owed: The ids that it refused for now, rising.
        last_number: The number of the last call, 0 when there was none.
        initial_request: The unanswered id under which the tuner completes initial parameters, None if none.
        held: Proposed parameters by id that no trial was made of.
    """

    unanswered: tuple[int, ...]
    owed: tuple[int, ...]
    last_number: int
    initial_request: int | None
    held: dict[int, Any]


def open_requests(notes: Iterable[TunerNote]) -> OpenRequests:
    """Returns what is open at the end of the tuner's history."""
    unanswered: dict[int, bool] = {}
    owed: set[int] = set()
    held: dict[int, Any] = {}
    last_number = 0
    for note in notes:
        last_number = max(last_number, note.number)
        if note.kind is TunerNoteKind.ASKED:
            unanswered.update(dict.fromkeys(note.parameter_ids, note.data is not None))
            continue
        for parameter_id in note.parameter_ids:
            owed.discard(parameter_id)
            held.pop(parameter_id, None)
            if note.kind is TunerNoteKind.PROPOSED and not note.trial_id:
                held[parameter_id] = note.data
            if unanswered.pop(parameter_id, None) is not None and note.kind is TunerNoteKind.REFUSED:
                owed.add(parameter_id)
    initial = [parameter_id for parameter_id, is_initial in unanswered.items() if is_initial]
    return OpenRequests(
        tuple(sorted(unanswered)), tuple(sorted(owed)), last_number, initial[-1] if initial else None, held
    )


def restore(state: State, restored: RestoredExperiment) -> None:
    """Fills the state of an engine with what the record has.

    Args:
        state: The state, which has the experiment and the limits.
        restored: The rest.
    """
    for record in restored.trials:
        position = restored.positions.get(record.trial_id, TrialPosition())
        trial = ActiveTrial(
            record,
            metric_counts={
                MetricKind.INTERMEDIATE: position.intermediate_count,
                MetricKind.FINAL: position.final_count,
            },
            reporter_numbers=dict(position.reporter_numbers),
            stored_offset=position.end_offset,
        )
        if record.status is not TrialStatus.WAITING:
            trial.change(submitted=True)
        state.active[record.trial_id] = trial
        remember_request(state, record.create_request_id, record.trial_id)
    queued = [record for record in restored.trials if not state.active[record.trial_id].submitted]
    # As before, those that are to be run again come first.
    state.waiting.extend(one.trial_id for one in sorted(queued, key=lambda one: one.attempt == 0))
    state.submitted_count = len(state.active) - len(queued)
    state.failed_count = restored.failed_count
    state.results = restored.results
    state.early_failures = None if restored.any_success_or_report else restored.failed_count
    requests = state.requests
    requests.unanswered.update(restored.unanswered)
    requests.owed.update(restored.owed)
    requests.held.update(restored.held)
    requests.last_number = requests.last_told = restored.last_number
    # Open calls are told again by who makes the tuner anew, and are heard of under their numbers.
    requests.last_processed = 0 if restored.unanswered else restored.last_number
    state.initial_request = restored.initial_request


def resume(state: State, step: Step, alive_until: float, at: float, config: dict[str, Any] | None) -> None:
    """Lets a restored experiment run, and takes up its trials where they were left.

    Args:
        state: The experiment.
        step: Gets what changes and what is to be done.
        alive_until: The last moment at which the earlier manager is known to have run.
        at: The time now.
        config: The configuration to go on with; None for the recorded one.
    """
    experiment = state.experiment
    if config is not None:
        take_config(state, step, config)
    if experiment.status is ExperimentStatus.ERROR and state.early_failures is not None:
        state.early_failures = 0  # whoever resumes it has seen to the cause
    call_off_end(state, step)
    step.change_experiment(
        status=ExperimentStatus.RUNNING,
        started_at=at if experiment.started_at is None else experiment.started_at,
        ended_at=None,
        end_reason=None,
        running_seconds=state.running_seconds(min(alive_until, at)),
        running_since=None if experiment.paused else at,
    )
    for trial in state.active.values():
        if trial.submitted:
            _take_up(step, trial)
    set_deadlines(state)
    explain_waiting(state, step)


def _take_up(step: Step, trial: ActiveTrial) -> None:
    record = trial.record
    if record.status is TrialStatus.WAITING and record.cancel_reason is None:
        step.act(submission(record))
        return
    step.act(AdoptTrial(record.trial_id, record.attempt, trial.stored_offset))
    if record.cancel_reason is not None:
        step.act(CancelTrial(record.trial_id, record.attempt))
