"""An engine for stories: a tuner that answers at once, trials that a test gives lives, a record in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from nni_manager.engine import events
from nni_manager.engine.effects import Action, RequestParameters, SaveExperiment, ToTuner, TunerCall
from nni_manager.engine.engine import Engine, StepResult
from nni_manager.engine.limits import Limits
from nni_manager.engine.records import ExperimentRecord, MetricRecord, TrialRecord, TunerNote
from nni_manager.engine.statuses import ExperimentStatus, MetricKind, TrialStatus, TunerNoteKind
from nni_manager.storage.memory import MemoryStorage
from nni_manager.storage.restoring import restored_experiment

_Action = TypeVar("_Action")


class Story:
    """An experiment that was started at second 100.

    Attributes:
        now: The time.
        grid: After how many proposals the tuner has no more, None for never.
        tuner_is_asleep: Whether the tuner does not answer.
        proposal: What the tuner proposes beside "x", the number of the request.
        storage: The record.
        engine: The engine.
        actions: Everything that was to be done, since the last restart.
    """

    def __init__(
        self,
        *,
        grid: int | None = None,
        has_assessor: bool = False,
        tuner_hears_results: bool = False,
        tuner_is_asleep: bool = False,
        config: dict[str, Any] | None = None,
        **limits: Any,
    ) -> None:
        """Starts an experiment.

        Args:
            grid: After how many proposals the tuner has no more, None for never.
            has_assessor: Whether there is an assessor.
            tuner_hears_results: Whether the tuner is told intermediate results.
            tuner_is_asleep: Whether the tuner does not answer.
            config: The configuration.
            limits: The limits; two trials at a time if nothing else is said.
        """
        self.now = 100.0
        self.grid = grid
        self.tuner_is_asleep = tuner_is_asleep
        self.proposal: dict[str, Any] = {}
        self.storage = MemoryStorage()
        self.actions: list[Action] = []
        self._proposed = 0
        self._has_assessor = has_assessor
        self._tuner_hears_results = tuner_hears_results
        record = ExperimentRecord("e1", ExperimentStatus.INITIALIZED, config or {}, "maximize", self.now)
        self.storage.commit([SaveExperiment(record)])
        self.engine = Engine(
            record,
            Limits(**{"trial_concurrency": 2, **limits}),
            has_assessor=has_assessor,
            tuner_hears_results=tuner_hears_results,
        )
        self._absorb(self.engine.start(self.now))

    @property
    def experiment(self) -> ExperimentRecord:
        """The experiment as stored."""
        record = self.storage.experiment()
        if record is None:
            raise AssertionError("the experiment was not stored")
        return record

    @property
    def status(self) -> ExperimentStatus:
        """The experiment's status."""
        return self.experiment.status

    @property
    def trials(self) -> list[TrialRecord]:
        """The trials as stored, by number."""
        return [stored.record for stored in self.storage.trials()]

    @property
    def metrics(self) -> list[MetricRecord]:
        """The results stored."""
        return [stored.record for stored in self.storage.metrics()]

    @property
    def notes(self) -> list[TunerNote]:
        """The tuner's history."""
        return [stored.note for stored in self.storage.tuner_notes()]

    def trial(self, number: int) -> TrialRecord:
        """Returns the trial of a number as stored."""
        return self.trials[number]

    def numbers(self, *statuses: TrialStatus) -> list[int]:
        """Returns the numbers of the trials of some statuses."""
        return [record.sequence_number for record in self.trials if record.status in statuses]

    def kinds(self) -> list[str]:
        """Returns the kinds of the notes in the tuner's history."""
        return [note.kind.name for note in self.notes]

    def done(self, kind: type[_Action]) -> list[_Action]:
        """Returns what was done of a kind since the last restart."""
        return [action for action in self.actions if isinstance(action, kind)]

    def told(self, kind: type[_Action]) -> list[_Action]:
        """Returns the calls of a kind that the tuner was told since the last restart."""
        return [action.call for action in self.done(ToTuner) if isinstance(action.call, kind)]

    def tell(self, *happened: events.Event) -> StepResult:
        """Tells the engine something."""
        result = self.engine.step(happened, self.now)
        self._absorb(result)
        return result

    def begin(self, number: int, host: str = "", *gpus: str) -> None:
        """Lets a trial's process start, on a host where there are several."""
        record = self.trial(number)
        self.tell(events.TrialStarted(record.trial_id, record.attempt, self.now, host, gpus))

    def report(
        self, number: int, *values: Any, final: bool = False, reporter: str = "r", first: int = 0
    ) -> None:
        """Lets a trial report values under rising numbers of a reporter."""
        record = self.trial(number)
        kind = MetricKind.FINAL if final else MetricKind.INTERMEDIATE
        reports = tuple(
            events.Report(kind, reporter, place, value, self.now) for place, value in enumerate(values, first)
        )
        offset = 10 * (first + len(values))
        self.tell(events.TrialReported(record.trial_id, record.attempt, reports, end_offset=offset))

    def end(self, number: int, **how: Any) -> None:
        """Ends a trial's process, with exit code 0 if nothing else is said."""
        record = self.trial(number)
        how = how or {"exit_code": 0}
        self.tell(events.TrialEnded(record.trial_id, record.attempt, self.now, **how))

    def restart(self, *, seconds: float = 0.0, config: dict[str, Any] | None = None, **limits: Any) -> None:
        """Loses the engine and the tuner and goes on with others, as the next manager does.

        Args:
            seconds: How much later.
            config: The configuration to go on with, None for the recorded one.
            limits: Limits that are changed.
        """
        alive_until, self.now = self.now, self.now + seconds
        restored = replace(restored_experiment(self.storage), alive_until=alive_until)
        limits_now = replace(self.engine.state.limits, **limits)
        self.engine = Engine.restore(
            restored,
            limits_now,
            has_assessor=self._has_assessor,
            tuner_hears_results=self._tuner_hears_results,
        )
        self.actions = []
        self._absorb(self.engine.resume(self.now, config))
        if not restored.unanswered:
            return
        for note in self.notes:
            ids = tuple(one for one in note.parameter_ids if one in restored.unanswered)
            if note.kind is TunerNoteKind.ASKED and ids:
                self.answer(RequestParameters(note.number, ids))
        self.tell(events.TunerProcessed(restored.last_number, self.now))

    def answer(self, call: TunerCall) -> None:
        """Lets the tuner deal with a call."""
        happened: list[events.Event] = []
        for parameter_id in call.parameter_ids if isinstance(call, RequestParameters) else ():
            if self.grid is not None and self._proposed >= self.grid:
                happened.append(events.ParametersRefused((parameter_id,), "explored"))
            else:
                self._proposed += 1
                parameters = {**self.proposal, "x": parameter_id}
                happened.append(events.ParametersProposed(parameter_id, parameters, self.now))
        self.tell(*happened, events.TunerProcessed(call.number, self.now))

    def _absorb(self, result: StepResult) -> None:
        self.storage.commit(result.writes)
        self.actions.extend(result.actions)
        for action in result.actions:
            if isinstance(action, ToTuner) and not self.tuner_is_asleep:
                self.answer(action.call)
