"""What the engine wants done. Effects are carried out in order, and what stores comes before what acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nni_manager.engine.records import ExperimentRecord, MetricRecord, TrialRecord, TunerNote
from nni_manager.engine.statuses import TrialStatus


@dataclass(frozen=True, slots=True)
class SaveExperiment:
    """Store the experiment as it is now."""

    record: ExperimentRecord


@dataclass(frozen=True, slots=True)
class SaveTrial:
    """Store a trial as it is now."""

    record: TrialRecord


@dataclass(frozen=True, slots=True)
class SaveMetrics:
    """Store results of one trial.

    Attributes:
        trial_id: The trial.
        attempt: Which run of it.
        metrics: The results, repeats left out.
        reporter_numbers: The highest number stored of each reporter named in this batch.
        end_offset: The position in the trial's report file up to which results are now stored,
            None when they came by RPC.
    """

    trial_id: str
    attempt: int
    metrics: tuple[MetricRecord, ...]
    reporter_numbers: dict[str, int]
    end_offset: int | None


@dataclass(frozen=True, slots=True)
class SaveTunerNotes:
    """Add to the history of the tuner.

    Attributes:
        notes: What to add, in order.
    """

    notes: tuple[TunerNote, ...]


Write = SaveExperiment | SaveTrial | SaveMetrics | SaveTunerNotes
"""The effects that the storage carries out."""


@dataclass(frozen=True, slots=True)
class SubmitTrial:
    """Start a trial. Doing it twice for the same attempt starts it once."""

    trial_id: str
    attempt: int
    sequence_number: int
    parameter_id: int | None
    parameters: Any


@dataclass(frozen=True, slots=True)
class AdoptTrial:
    """Watch a trial that was started before a restart.

    Attributes:
        trial_id: The trial.
        attempt: Which run of it.
        acknowledged_offset: The position in its report file up to which results are stored.
    """

    trial_id: str
    attempt: int
    acknowledged_offset: int


@dataclass(frozen=True, slots=True)
class CancelTrial:
    """Stop a trial's processes. Its end will be told as TrialEnded."""

    trial_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class AcknowledgeReports:
    """Tell the trial's machine that results are stored up to this position of the report file."""

    trial_id: str
    attempt: int
    offset: int


@dataclass(frozen=True, slots=True)
class RequestParameters:
    """Ask the tuner for parameters, one set for each id."""

    number: int
    parameter_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TellFinalResult:
    """Tell the tuner a final result.

    Attributes:
        number: The call's number.
        trial_id: The trial.
        parameter_id: The tuner's number for its parameters, None for customized ones.
        parameters: Its parameters.
        value: The result.
        customized: Whether the parameters are not the tuner's.
        stands_in: Whether the trial failed without a result, and the value stands for one.
    """

    number: int
    trial_id: str
    parameter_id: int | None
    parameters: Any
    value: Any
    customized: bool
    stands_in: bool = False


@dataclass(frozen=True, slots=True)
class TellTrialEnd:
    """Tell the tuner (and, with number 0, the assessor) that a trial ended."""

    number: int
    trial_id: str
    parameter_id: int | None
    status: TrialStatus


@dataclass(frozen=True, slots=True)
class TellSearchSpace:
    """Tell the tuner a new search space."""

    number: int
    search_space: Any


@dataclass(frozen=True, slots=True)
class TellImportedTrials:
    """Tell the tuner of results from elsewhere: [{"parameter": ..., "value": ...}, ...]."""

    number: int
    trials: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class TellIntermediateResult:
    """Tell the assessor, or with a number the tuner, an intermediate result."""

    trial_id: str
    parameter_id: int | None
    index: int
    value: Any
    number: int = 0


TunerCall = (
    RequestParameters
    | TellFinalResult
    | TellIntermediateResult
    | TellTrialEnd
    | TellSearchSpace
    | TellImportedTrials
)
"""What the tuner is told. Numbers rise by one from call to call, from 1."""

AssessorCall = TellIntermediateResult | TellTrialEnd
"""What the assessor is told."""


@dataclass(frozen=True, slots=True)
class ToTuner:
    """Tell the tuner something."""

    call: TunerCall


@dataclass(frozen=True, slots=True)
class ToAssessor:
    """Tell the assessor something."""

    call: AssessorCall


Action = SubmitTrial | AdoptTrial | CancelTrial | AcknowledgeReports | ToTuner | ToAssessor
"""The effects that act on the world, after the writes of the same step are stored."""

Effect = Write | Action
