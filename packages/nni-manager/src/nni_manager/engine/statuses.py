"""The statuses of experiments and trials, with NNI's names."""

from __future__ import annotations

from enum import Enum


class TrialStatus(str, Enum):
    """Where a trial is in its life."""

    UNKNOWN = "UNKNOWN"
    WAITING = "WAITING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    USER_CANCELED = "USER_CANCELED"
    SYS_CANCELED = "SYS_CANCELED"
    EARLY_STOPPED = "EARLY_STOPPED"

    @property
    def is_final(self) -> bool:
        """Whether a trial of this status has ended."""
        return self not in _UNFINISHED


_UNFINISHED = frozenset({TrialStatus.UNKNOWN, TrialStatus.WAITING, TrialStatus.RUNNING})


class ExperimentStatus(str, Enum):
    """Where an experiment is in its life."""

    INITIALIZED = "INITIALIZED"
    RUNNING = "RUNNING"
    ERROR = "ERROR"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    DONE = "DONE"
    NO_MORE_TRIAL = "NO_MORE_TRIAL"
    TUNER_NO_MORE_TRIAL = "TUNER_NO_MORE_TRIAL"
    VIEWED = "VIEWED"


class Actor(str, Enum):
    """Who ended a trial or an experiment."""

    TRIAL = "TRIAL"
    USER = "USER"
    ASSESSOR = "ASSESSOR"
    LIMIT = "LIMIT"
    MANAGER = "MANAGER"
    TUNER = "TUNER"
    PLATFORM = "PLATFORM"


class ParameterSource(str, Enum):
    """Where a trial's parameters came from."""

    ALGORITHM = "ALGORITHM"
    CUSTOMIZED = "CUSTOMIZED"
    INITIAL = "INITIAL"


class TunerNoteKind(str, Enum):
    """What a note in the tuner's history is about. See records.TunerNote."""

    ASKED = "ASKED"
    PROPOSED = "PROPOSED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    FINAL_RESULT = "FINAL_RESULT"
    INTERMEDIATE_RESULT = "INTERMEDIATE_RESULT"
    TRIAL_END = "TRIAL_END"
    SEARCH_SPACE = "SEARCH_SPACE"
    IMPORTED = "IMPORTED"


class MetricKind(str, Enum):
    """Which of the two report calls a result came from."""

    INTERMEDIATE = "INTERMEDIATE"
    FINAL = "FINAL"
