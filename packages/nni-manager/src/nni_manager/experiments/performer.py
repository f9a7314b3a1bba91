"""Does to the world what the engine wants done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nni_manager.engine.effects import (
    AcknowledgeReports,
    Action,
    AdoptTrial,
    CancelTrial,
    SubmitTrial,
    ToAssessor,
    ToTuner,
)
from nni_manager.experiments import crash_points
from nni_manager.training.interface import TrainingService, TrialRun
from nni_manager.tuning.interface import Algorithm


@dataclass(frozen=True, slots=True)
class Performer:
    """The parts that an experiment acts through, ready to be used.

    Attributes:
        training: Where its trials run.
        tuner: Proposes parameters.
        assessor: Judges trials, None when nobody does.
        trial_environment: Returns what is added to the environment of a trial.
        submitted: Called after each trial that is submitted.
    """

    training: TrainingService
    tuner: Algorithm
    assessor: Algorithm | None
    trial_environment: Callable[[str], dict[str, str]]
    submitted: Callable[[], None]

    def act(self, action: Action) -> None:
        """Carries out an action whose cause is stored."""
        point = crash_points.EFFECTS[type(action)]
        crash_points.before(point)
        match action:
            case SubmitTrial():
                self._submit(action)
            case AdoptTrial():
                self.training.adopt(action.trial_id, action.attempt, action.acknowledged_offset)
            case CancelTrial():
                self.training.cancel(action.trial_id, action.attempt)
            case AcknowledgeReports():
                self.training.acknowledge(action.trial_id, action.attempt, action.offset)
            case ToTuner():
                self.tuner.tell(action.call)
            case ToAssessor():
                if self.assessor is not None:
                    self.assessor.tell(action.call)
        crash_points.after(point)

    def release(self) -> None:
        """Says that no trial is coming."""
        crash_points.before("release")
        self.training.release()
        crash_points.after("release")

    def _submit(self, action: SubmitTrial) -> None:
        run = TrialRun(
            trial_id=action.trial_id,
            attempt=action.attempt,
            sequence_number=action.sequence_number,
            parameter_id=action.parameter_id,
            parameters=action.parameters,
            environment=self.trial_environment(action.trial_id),
        )
        self.training.submit(run)
        self.submitted()
