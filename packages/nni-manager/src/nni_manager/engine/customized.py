"""What people add to a running experiment: trials with parameters of their own, results from elsewhere."""

from __future__ import annotations

from nni_manager.engine.effects import TellImportedTrials
from nni_manager.engine.events import TrialRequested, TrialsImported
from nni_manager.engine.state import State, Step
from nni_manager.engine.statuses import ParameterSource
from nni_manager.engine.supply import create_trial

_IMPORTS_KEPT = 100
_REQUESTS_KEPT = 1000


def create_customized_trial(state: State, step: Step, event: TrialRequested) -> None:
    """Queues a trial, unless the same request did or none may be created any more."""
    known = state.trials_of_requests
    if event.request_id in known or state.why_no_trial(event.at) is not None:
        return
    record = create_trial(
        state,
        step,
        event.at,
        parameter_id=None,
        source=ParameterSource.CUSTOMIZED,
        parameters=event.parameters,
        request_id=event.request_id,
    )
    remember_request(state, event.request_id, record.trial_id)


def remember_request(state: State, request_id: str, trial_id: str) -> None:
    """Notes which trial a request created. The storage knows it too; of many the oldest is forgotten here."""
    if not request_id:
        return
    state.trials_of_requests[request_id] = trial_id
    if len(state.trials_of_requests) > _REQUESTS_KEPT:
        del state.trials_of_requests[next(iter(state.trials_of_requests))]


def import_trials(state: State, step: Step, event: TrialsImported) -> None:
    """Tells the tuner of results from elsewhere, unless the same request did."""
    known = state.experiment.import_request_ids
    if not state.is_open or event.request_id in known:
        return
    step.change_experiment(import_request_ids=(*known, event.request_id)[-_IMPORTS_KEPT:])
    step.tell_tuner(lambda number: TellImportedTrials(number, event.trials))
