"""Keeps the slots filled: tries what is to be tried first, asks the tuner, creates trials, submits them."""

from __future__ import annotations

from typing import Any

from nni_config.trial_ids import trial_id

from nni_manager.engine.active_trial import ActiveTrial
from nni_manager.engine.effects import RequestParameters, SubmitTrial
from nni_manager.engine.events import ParametersProposed, ParametersRefused
from nni_manager.engine.initial import completed, give_back_initial, is_complete, next_initial
from nni_manager.engine.records import TrialRecord, TunerNote
from nni_manager.engine.state import State, Step
from nni_manager.engine.statuses import ParameterSource, TrialStatus, TunerNoteKind


def fill_slots(state: State, step: Step, at: float) -> None:
    """Submits waiting trials to free slots and sees to it that there are trials for those still free."""
    if state.experiment.paused:
        return
    _submit_waiting(state, step)
    if state.why_no_trial(at) is not None:
        return
    _begin_initial(state, step, at)
    _take_held(state, step, at)
    _submit_waiting(state, step)
    if state.initial_request is None and next_initial(state) is None and state.requests.may_ask:
        # Whether a tuner that has refused has more is found out with one id, since each that it refuses is
        # owed from then on.
        most = 1 - len(state.requests.unanswered) if state.requests.exhausted else state.room
        _ask_tuner(state, step, min(state.room, most))


def _submit_waiting(state: State, step: Step) -> None:
    while state.waiting and state.submitted_count < state.limits.trial_concurrency:
        submit(state, step, state.active[state.waiting.popleft()])


def _begin_initial(state: State, step: Step, at: float) -> None:
    """Makes trials of what is to be tried first, in order; while the tuner completes one the others wait."""
    while state.initial_request is None and state.room > 0:
        parameters = next_initial(state)
        if parameters is None:
            return
        if is_complete(parameters, state.search_space):
            create_trial(
                state, step, at, parameter_id=None, source=ParameterSource.INITIAL, parameters=parameters
            )
        elif state.requests.may_ask:
            state.initial_request = state.experiment.next_parameter_id
            _ask_tuner(state, step, 1, {"initial": state.experiment.initial_count})
        else:
            return
        step.change_experiment(initial_count=state.experiment.initial_count + 1)


def _take_held(state: State, step: Step, at: float) -> None:
    """Makes trials of parameters that came when none might be created, in the order asked for."""
    while state.requests.held and state.room > 0:
        parameter_id = min(state.requests.held)
        parameters = state.requests.held.pop(parameter_id)
        state.requests.created_count += 1
        source = ParameterSource.ALGORITHM
        record = create_trial(
            state, step, at, parameter_id=parameter_id, source=source, parameters=parameters
        )
        step.note(TunerNote(TunerNoteKind.PROPOSED, 0, (parameter_id,), record.trial_id))


def _ask_tuner(state: State, step: Step, wanted: int, data: Any = None) -> None:
    if wanted <= 0:
        return
    first = state.experiment.next_parameter_id
    ids = tuple(range(first, first + wanted))
    state.requests.unanswered.update(ids)
    step.change_experiment(next_parameter_id=first + wanted)
    step.tell_tuner(lambda number: RequestParameters(number, ids), data)


def take_proposal(state: State, step: Step, event: ParametersProposed) -> None:
    """Makes a trial of proposed parameters; while none may be created they are kept."""
    ids = (event.parameter_id,)
    if not state.requests.answer(event.parameter_id):
        return
    if state.why_no_trial(event.at) is not None:
        state.requests.held[event.parameter_id] = event.parameters
        give_back_initial(state, step, ids)
        step.note(TunerNote(TunerNoteKind.PROPOSED, 0, ids, data=event.parameters))
        return
    state.requests.created_count += 1
    state.requests.may_ask = True
    state.requests.exhausted = False
    is_initial = state.initial_request == event.parameter_id
    if is_initial:
        state.initial_request = None
    record = create_trial(
        state,
        step,
        event.at,
        parameter_id=event.parameter_id,
        source=ParameterSource.INITIAL if is_initial else ParameterSource.ALGORITHM,
        parameters=completed(state, event.parameters) if is_initial else event.parameters,
    )
    own = event.parameters if is_initial else None
    step.note(TunerNote(TunerNoteKind.PROPOSED, 0, ids, record.trial_id, own))


def take_refusal(state: State, step: Step, event: ParametersRefused) -> None:
    """Notes that the tuner has no more trials for now."""
    refused = tuple(sorted(state.requests.refuse(event.parameter_ids)))
    if refused:
        state.requests.refusal = event.message
        give_back_initial(state, step, refused)
        step.note(TunerNote(TunerNoteKind.REFUSED, 0, refused))


def create_trial(
    state: State,
    step: Step,
    at: float,
    *,
    parameter_id: int | None,
    source: ParameterSource,
    parameters: Any,
    request_id: str = "",
) -> TrialRecord:
    """Creates a trial and queues it; the end of the step submits it if there is a slot.

    Args:
        state: The experiment.
        step: Gets what changes.
        at: The time now.
        parameter_id: The tuner's number for its parameters, None when they are not the tuner's.
        source: Where its parameters come from.
        parameters: Its parameters.
        request_id: The request that creates it, "" for none.
    """
    number = state.experiment.next_sequence_number
    step.change_experiment(next_sequence_number=number + 1)
    record = TrialRecord(
        trial_id=trial_id(state.experiment.experiment_id, number),
        sequence_number=number,
        status=TrialStatus.WAITING,
        attempt=0,
        parameter_id=parameter_id,
        parameter_source=source,
        parameters=parameters,
        created_at=at,
        waiting_reason=state.why_trials_wait(),
        create_request_id=request_id,
    )
    state.active[record.trial_id] = ActiveTrial(record)
    state.waiting.append(record.trial_id)
    step.save_trial(record)
    return record


def submit(state: State, step: Step, trial: ActiveTrial) -> None:
    """Hands a trial to the training service."""
    record = trial.change(submitted=True, waiting_reason="its process is being started")
    state.submitted_count += 1
    step.save_trial(record)
    step.act(submission(record))


def submission(record: TrialRecord) -> SubmitTrial:
    """Returns the effect that starts a trial."""
    return SubmitTrial(
        trial_id=record.trial_id,
        attempt=record.attempt,
        sequence_number=record.sequence_number,
        parameter_id=record.parameter_id,
        parameters=record.parameters,
    )
