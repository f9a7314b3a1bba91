"""What can happen to a running experiment. The engine is told nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nni_manager.engine.limits import Limits
from nni_manager.engine.records import ExperimentOrigin
from nni_manager.engine.statuses import MetricKind

_LATEST = 253402300799.0  # the last second of the year 9999, beyond which many programs know no time


def time_or(seconds: float, received_at: float) -> float:
    """Returns a time that somebody told, or that of its receipt if it is none that can be kept.

    Args:
        seconds: The time told, seconds since the epoch; NaN, infinities and times before 1970 or after the
            year 9999 are not kept.
        received_at: The time of receipt.
    """
    return seconds if 0 <= seconds <= _LATEST else received_at


@dataclass(frozen=True, slots=True)
class TrialStarted:
    """A trial's process runs.

    Attributes:
        trial_id: The trial.
        attempt: Which run of it.
        at: When it started.
        host: The machine it runs on, "" where all run on this one.
        gpus: The GPUs that were given to it, as CUDA_VISIBLE_DEVICES names them.
    """

    trial_id: str
    attempt: int
    at: float
    host: str = ""
    gpus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrialWaits:
    """A trial cannot start yet; `reason` says why."""

    trial_id: str
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """One result on its way in.

    Attributes:
        kind: Intermediate or final.
        reporter: Names the reporting process, unique within the attempt.
        number: The report's number among those of its reporter, rising, from 0.
        value: The value as reported.
        reported_at: When it was reported.
    """

    kind: MetricKind
    reporter: str
    number: int
    value: Any
    reported_at: float


@dataclass(frozen=True, slots=True)
class TrialReported:
    """A trial reported results, in this order.

    Attributes:
        trial_id: The trial.
        attempt: Which run of it.
        reports: The results.
        end_offset: The position in the trial's report file behind them, None when they came by RPC.
    """

    trial_id: str
    attempt: int
    reports: tuple[Report, ...]
    end_offset: int | None = None


@dataclass(frozen=True, slots=True)
class TrialEnded:
    """A trial's process has ended and everything it reported was told before.

    Attributes:
        trial_id: The trial.
        attempt: Which run of it.
        at: When it ended.
        exit_code: The exit code of its command, None when a signal ended it or it never ran.
        signal: The signal that ended its command.
        problem: Why there is neither an exit code nor a signal; beside an exit code, why it may have come to
            that without a result.
        stderr_tail: The last lines of its stderr.
    """

    trial_id: str
    attempt: int
    at: float
    exit_code: int | None = None
    signal: int | None = None
    problem: str = ""
    stderr_tail: str = ""


@dataclass(frozen=True, slots=True)
class TrainingServiceFailed:
    """The place where trials run cannot go on."""

    message: str
    at: float


@dataclass(frozen=True, slots=True)
class ParametersProposed:
    """The tuner proposed parameters under an id it was asked for."""

    parameter_id: int
    parameters: Any
    at: float


@dataclass(frozen=True, slots=True)
class ParametersRefused:
    """The tuner has no parameters for these ids, at least for now."""

    parameter_ids: tuple[int, ...]
    message: str


@dataclass(frozen=True, slots=True)
class TunerProcessed:
    """The tuner has dealt with a call, and all its answers came before."""

    number: int
    at: float


@dataclass(frozen=True, slots=True)
class AlgorithmFailed:
    """The tuner or the assessor raised an exception or its process died."""

    algorithm: str
    message: str
    traceback: str
    at: float


@dataclass(frozen=True, slots=True)
class TrialJudgedBad:
    """The assessor, or the tuner, says that a trial is to be stopped."""

    trial_id: str
    message: str
    at: float
    algorithm: str = "assessor"


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """A person asked for a trial to be stopped."""

    trial_id: str
    at: float


@dataclass(frozen=True, slots=True)
class TrialRequested:
    """A person wants a trial with parameters of their own. The same request again changes nothing."""

    parameters: Any
    request_id: str
    at: float


@dataclass(frozen=True, slots=True)
class TrialsImported:
    """A person gave results from elsewhere: ({"parameter": ..., "value": ...}, ...).

    The same request again changes nothing.
    """

    trials: tuple[dict[str, Any], ...]
    request_id: str


@dataclass(frozen=True, slots=True)
class PauseRequested:
    """No new trial is to start until UnpauseRequested."""

    at: float


@dataclass(frozen=True, slots=True)
class UnpauseRequested:
    """Trials may start again."""

    at: float


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The experiment is to stop; `by_user` tells a person from the manager's own end."""

    by_user: bool
    message: str
    at: float


@dataclass(frozen=True, slots=True)
class ConfigChanged:
    """A person changed limits or the search space.

    Attributes:
        config: The new configuration, in the YAML form.
        limits: The limits in it.
        at: When.
    """

    config: dict[str, Any]
    limits: Limits
    at: float


@dataclass(frozen=True, slots=True)
class OriginFound:
    """It is known what the experiment was made of."""

    origin: ExperimentOrigin


@dataclass(frozen=True, slots=True)
class WarningRaised:
    """There is something that a person is to know, although nothing failed."""

    message: str


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The time that the engine asked to be woken at has come."""

    at: float


Event = (
    TrialStarted
    | TrialWaits
    | TrialReported
    | TrialEnded
    | TrainingServiceFailed
    | ParametersProposed
    | ParametersRefused
    | TunerProcessed
    | AlgorithmFailed
    | TrialJudgedBad
    | CancelRequested
    | TrialRequested
    | TrialsImported
    | PauseRequested
    | UnpauseRequested
    | StopRequested
    | ConfigChanged
    | OriginFound
    | WarningRaised
    | TimePassed
)
