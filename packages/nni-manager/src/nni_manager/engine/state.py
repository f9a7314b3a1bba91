"""What the engine remembers between events, and what it wants done after them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from nni_manager.engine.active_trial import ActiveTrial
from nni_manager.engine.effects import (
    Action,
    AssessorCall,
    RequestParameters,
    SaveExperiment,
    SaveMetrics,
    SaveTrial,
    SaveTunerNotes,
    TellIntermediateResult,
    ToAssessor,
    ToTuner,
    TunerCall,
    Write,
)
from nni_manager.engine.events import TrialReported
from nni_manager.engine.limits import Limits
from nni_manager.engine.parameter_requests import ParameterRequests
from nni_manager.engine.records import EndReason, ExperimentRecord, TrialRecord, TunerNote
from nni_manager.engine.statuses import Actor, ExperimentStatus
from nni_manager.engine.tuner_notes import note_of

OPEN_STATUSES = frozenset(
    {ExperimentStatus.RUNNING, ExperimentStatus.NO_MORE_TRIAL, ExperimentStatus.TUNER_NO_MORE_TRIAL}
)
"""The statuses of an experiment that runs and was not told to end."""


@dataclass(slots=True)
class State:
    """A running experiment. Ended trials are not kept here, so its size does not grow with them.

    Attributes:
        experiment: The experiment as it is stored.
        limits: The limits it runs under.
        has_assessor: Whether intermediate results are told to an assessor.
        tuner_hears_results: Whether intermediate results are told to the tuner.
        active: The trials that have not ended, by id, in the order created.
        waiting: The ids of those that wait for a free slot, the first to start first.
        submitted_count: How many of the active trials hold a slot.
        requests: What the tuner was asked for.
        deadlines: When each running trial reaches its time limit.
        early_failures: How many trials have failed without a report so far, None once one did anything else.
        failed_count: How many trials have failed so far.
        results: The lowest and the highest objective of any trial so far, None before the first.
        initial_parameters: The parameters that are tried first.
        initial_request: The id under which the tuner completes the last of them that was begun, None when it
            completes none.
        trials_of_requests: The trials that people's requests created lately, by request.
        time_limit_reached: Whether max_experiment_seconds was reached and acted on.
        end_status: What the experiment ends as once its trials have ended, None while it goes on.
        end_trial_reason: Why its trials are stopped then, None while it goes on.
    """

    experiment: ExperimentRecord
    limits: Limits
    has_assessor: bool = False
    tuner_hears_results: bool = False
    active: dict[str, ActiveTrial] = field(default_factory=dict)
    waiting: deque[str] = field(default_factory=deque)
    submitted_count: int = 0
    requests: ParameterRequests = field(default_factory=ParameterRequests)
    deadlines: dict[str, float] = field(default_factory=dict)
    early_failures: int | None = 0
    failed_count: int = 0
    results: tuple[float, float] | None = None
    initial_parameters: tuple[dict[str, Any], ...] = ()
    initial_request: int | None = None
    trials_of_requests: dict[str, str] = field(default_factory=dict)
    time_limit_reached: bool = False
    end_status: ExperimentStatus | None = None
    end_trial_reason: EndReason | None = None

    @property
    def is_open(self) -> bool:
        """Whether trials may still be created, limits aside."""
        return self.experiment.status in OPEN_STATUSES

    @property
    def created_count(self) -> int:
        """How many trials were ever created."""
        return self.experiment.next_sequence_number

    @property
    def trial_number_is_reached(self) -> bool:
        """Whether max_trial_number trials were created."""
        limit = self.limits.max_trial_number
        return limit is not None and self.created_count >= limit

    @property
    def search_space(self) -> Any:
        """The search space in the configuration."""
        return self.experiment.config.get("searchSpace")

    @property
    def free_slots(self) -> int:
        """How many trials can be asked for or created, beyond those there are, and start at once."""
        return self.limits.trial_concurrency - len(self.active) - len(self.requests.unanswered)

    @property
    def room(self) -> int:
        """As free_slots, but no more than max_trial_number allows."""
        limit = self.limits.max_trial_number
        if limit is None:
            return self.free_slots
        return min(self.free_slots, limit - self.created_count - len(self.requests.unanswered))

    def why_no_trial(self, at: float) -> str | None:
        """Returns why no trial may be created, None when one may be."""
        if not self.is_open:
            return f"the experiment is {self.experiment.status.value}"
        limit = self.limit_reached(at)
        return None if limit is None else limit.message

    def limit_reached(self, at: float) -> EndReason | None:
        """Returns which limit keeps trials from being created, None when none does."""
        if self.time_is_up(at):
            seconds = self.limits.max_experiment_seconds
            return EndReason(Actor.LIMIT, f"max_experiment_duration ({seconds:g} s) is reached")
        if self.trial_number_is_reached:
            return EndReason(Actor.LIMIT, f"max_trial_number ({self.limits.max_trial_number}) is reached")
        return None

    def why_trials_wait(self) -> str:
        """Returns why a trial that has no slot waits."""
        if self.experiment.paused:
            return "the experiment is paused"
        return f"every slot is taken (trial_concurrency is {self.limits.trial_concurrency})"

    def running_seconds(self, at: float) -> float:
        """Returns how long the experiment has run, time stopped and paused not counted."""
        since = self.experiment.running_since
        return self.experiment.running_seconds + (0.0 if since is None else max(0.0, at - since))

    def experiment_deadline(self) -> float | None:
        """Returns when max_experiment_seconds is reached, None when it never is as things are."""
        limit, since = self.limits.max_experiment_seconds, self.experiment.running_since
        if limit is None or since is None:
            return None
        return since + limit - self.experiment.running_seconds

    def time_is_up(self, at: float) -> bool:
        """Whether max_experiment_seconds is reached."""
        limit, deadline = self.limits.max_experiment_seconds, self.experiment_deadline()
        if deadline is None:
            return limit is not None and self.experiment.running_seconds >= limit
        return at >= deadline


class Step:
    """Collects what the events of one step change, each record once, and what is to be done about it."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._trials: dict[str, TrialRecord] = {}
        self._experiment_before = state.experiment
        self._metrics: list[SaveMetrics] = []
        self._notes: list[TunerNote] = []
        self.actions: list[Action] = []
        self.late_reports: list[TrialReported] = []

    def save_trial(self, record: TrialRecord) -> None:
        """Stores a trial; of several versions the last."""
        self._trials[record.trial_id] = record

    def save_metrics(self, metrics: SaveMetrics) -> None:
        """Stores results."""
        self._metrics.append(metrics)

    def change_experiment(self, **changes: Any) -> None:
        """Changes fields of the experiment."""
        self._state.experiment = replace(self._state.experiment, **changes)

    def act(self, action: Action) -> None:
        """Does something once the writes are stored."""
        self.actions.append(action)

    def note(self, note: TunerNote) -> None:
        """Adds to the history of the tuner."""
        self._notes.append(note)

    def tell_tuner(self, make_call: Callable[[int], TunerCall], data: Any = None) -> None:
        """Tells the tuner something, under the next number.

        While the experiment ends that is only noted: the tuner hears it when the experiment is resumed.

        Args:
            make_call: Returns the call of a number.
            data: What the history is to have beside the call.
        """
        requests = self._state.requests
        call = make_call(requests.next_call_number())
        note = note_of(call)
        self.note(note if data is None else replace(note, data=data))
        if self._state.is_open:
            requests.last_told = call.number
            self.act(ToTuner(call))
            if isinstance(call, RequestParameters):
                requests.last_asked = call.number
            elif not isinstance(call, TellIntermediateResult):
                requests.last_news = call.number
                requests.may_ask = True

    def tell_assessor(self, call: AssessorCall) -> None:
        """Tells the assessor something, if there is one."""
        if self._state.has_assessor:
            self.act(ToAssessor(call))

    def tell_intermediate_result(self, result: TellIntermediateResult) -> None:
        """Tells the assessor, if there is one, and the tuner, if it wants to know, an intermediate result.

        A tuner that has refused is not asked again because of it: it may propose what it owes by itself.
        """
        self.tell_assessor(result)
        if self._state.tuner_hears_results:
            self.tell_tuner(lambda number: replace(result, number=number))

    def set_status(self, status: ExperimentStatus, reason: EndReason | None) -> None:
        """Changes the experiment's status and why it has it."""
        if (self._state.experiment.status, self._state.experiment.end_reason) != (status, reason):
            self.change_experiment(status=status, end_reason=reason)

    def writes(self) -> list[Write]:
        """Returns what is to be stored, in an order in which nothing refers to what is not there yet."""
        writes: list[Write] = []
        if self._state.experiment != self._experiment_before:
            writes.append(SaveExperiment(self._state.experiment))
        writes.extend(SaveTrial(record) for record in self._trials.values())
        writes.extend(self._metrics)
        if self._notes:
            writes.append(SaveTunerNotes(tuple(self._notes)))
        return writes
