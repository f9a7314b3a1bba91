"""Keeps the slots filled: asks the tuner, creates trials, submits them."""

from __future__ import annotations

from nni_manager.engine.active_trial import ActiveTrial
from nni_manager.engine.effects import RequestParameters, SubmitTrial
from nni_manager.engine.events import ParametersProposed, ParametersRefused
from nni_manager.engine.records import TrialRecord
from nni_manager.engine.state import State, Step
from nni_manager.engine.statuses import ParameterSource, TrialStatus
from nni_manager.engine.trial_ids import trial_id


def fill_slots(state: State, step: Step, at: float) -> None:
    """Submits waiting trials to free slots and asks the tuner for as many as are still free."""
    while state.waiting and state.submitted_count < state.limits.trial_concurrency:
        _submit(state, step, state.active[state.waiting.popleft()])
    _ask_tuner(state, step, at)


def _ask_tuner(state: State, step: Step, at: float) -> None:
    requests = state.requests
    if not state.is_open or not requests.may_ask or state.time_is_up(at):
        return
    wanted = state.limits.trial_concurrency - len(state.active) - len(requests.unanswered)
    if state.limits.max_trial_number is not None:
        room = state.limits.max_trial_number - state.created_count - len(requests.unanswered)
        wanted = min(wanted, room)
    if wanted <= 0:
        return
    first = state.experiment.next_parameter_id
    ids = tuple(range(first, first + wanted))
    requests.unanswered.update(ids)
    step.change_experiment(next_parameter_id=first + wanted)
    step.tell_tuner(lambda number: RequestParameters(number, ids))


def take_proposal(state: State, step: Step, event: ParametersProposed) -> None:
    """Makes a trial of proposed parameters, unless none may be created any more."""
    if not state.requests.answer(event.parameter_id):
        return
    if not state.is_open or state.trial_number_is_reached or state.time_is_up(event.at):
        state.requests.withdrawn_count += 1
        return
    state.requests.created_count += 1
    state.requests.may_ask = True
    state.requests.exhausted = False
    number = state.experiment.next_sequence_number
    step.change_experiment(next_sequence_number=number + 1)
    record = TrialRecord(
        trial_id=trial_id(state.experiment.experiment_id, number),
        sequence_number=number,
        status=TrialStatus.WAITING,
        attempt=0,
        parameter_id=event.parameter_id,
        parameter_source=ParameterSource.ALGORITHM,
        parameters=event.parameters,
        created_at=event.at,
        waiting_reason=f"every slot is taken (trial_concurrency is {state.limits.trial_concurrency})",
    )
    trial = ActiveTrial(record)
    state.active[record.trial_id] = trial
    if state.submitted_count < state.limits.trial_concurrency:
        _submit(state, step, trial)
    else:
        state.waiting.append(record.trial_id)
        step.save_trial(record)


def take_refusal(state: State, step: Step, event: ParametersRefused) -> None:
    """Notes that the tuner has no more trials for now."""
    state.requests.refuse(event.parameter_ids)


def _submit(state: State, step: Step, trial: ActiveTrial) -> None:
    trial.submitted = True
    state.submitted_count += 1
    trial.set_waiting_reason("its process is being started")
    record = trial.record
    step.save_trial(record)
    step.act(
        SubmitTrial(
            trial_id=record.trial_id,
            attempt=record.attempt,
            sequence_number=record.sequence_number,
            parameter_id=record.parameter_id,
            parameters=record.parameters,
        )
    )
