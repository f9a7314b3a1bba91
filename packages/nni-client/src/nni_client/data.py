"""What the reading calls of an Experiment return. Field names are NNI's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class TrialResult:
    """The parameters of a trial with its final result.

    Attributes:
        parameter: The parameters.
        value: The final result as reported: a number, or whatever else the trial reported.
        trialJobId: The trial's id.
    """

    parameter: dict[str, Any]
    value: Any
    trialJobId: str  # noqa: N815


@dataclass
class TrialMetricData:
    """One result that a trial reported.

    Attributes:
        timestamp: When it was reported, in milliseconds since 1970.
        trialJobId: The trial's id.
        parameterId: The tuner's number for the trial's parameters as text, None for parameters a user chose.
        type: "PERIODICAL" for an intermediate result, "FINAL" for a final one.
        sequence: Its index among the trial's results of this type, from 0.
        data: The result as reported.
    """

    timestamp: int
    trialJobId: str  # noqa: N815
    parameterId: str | None  # noqa: N815
    type: str
    sequence: int
    data: Any


@dataclass
class TrialHyperParameters:
    """A trial's parameters and where they came from.

    Attributes:
        parameter_id: The tuner's number for these parameters, None for parameters a user chose.
        parameter_source: "algorithm" or "customized".
        parameters: The parameters by name.
        parameter_index: Always 0: a trial has one set of parameters.
        placement_constraint: Always None.
        version_info: Always None.
    """

    parameter_id: int | None
    parameter_source: str
    parameters: dict[str, Any]
    parameter_index: int = 0
    placement_constraint: dict[str, Any] | None = None
    version_info: dict[str, Any] | None = None


@dataclass
class TrialJob:
    """A trial.

    Attributes:
        trialJobId: Its id.
        status: WAITING, RUNNING, SUCCEEDED, FAILED, USER_CANCELED, SYS_CANCELED, EARLY_STOPPED or UNKNOWN.
        hyperParameters: Its parameters, one element.
        logPath: The folder of its output here; that of another machine is fetched to it.
        startTime: When it started, in milliseconds since 1970; for a trial that waits, when it was created.
        endTime: When it ended, -1 while it has not.
        finalMetricData: Its final result, at most one element.
        stderrPath: The file with its error output when it failed, else "".
        sequenceId: Its number in the experiment, from 0.
        message: Why it ended, or why it waits; "--" when there is nothing to say.
        host: The machine it runs or ran on; "" before it does, and where all run on this machine.
        gpus: The GPUs that were given to it, as CUDA_VISIBLE_DEVICES names them.
    """

    trialJobId: str  # noqa: N815
    status: str
    hyperParameters: list[TrialHyperParameters] = field(default_factory=list)  # noqa: N815
    logPath: str = ""  # noqa: N815
    startTime: int = -1  # noqa: N815
    endTime: int = -1  # noqa: N815
    finalMetricData: list[TrialMetricData] = field(default_factory=list)  # noqa: N815
    stderrPath: str = ""  # noqa: N815
    sequenceId: int = -1  # noqa: N815
    message: str = "--"
    host: str = ""
    gpus: list[str] = field(default_factory=list)
