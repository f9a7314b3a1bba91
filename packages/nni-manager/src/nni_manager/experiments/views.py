"""What the application service answers with: records and what is derived from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nni_manager.engine.records import ExperimentRecord
from nni_manager.engine.statuses import TrialStatus
from nni_manager.storage.interface import StoredMetric, StoredTrial


@dataclass(frozen=True, slots=True)
class TrialView:
    """A trial as it is shown.

    Attributes:
        stored: The trial with what the storage knows of it.
        output_directory: The folder of its output here; what is on another machine is fetched to it.
    """

    stored: StoredTrial
    output_directory: str


@dataclass(frozen=True, slots=True)
class ExperimentView:
    """An experiment as it is shown.

    Attributes:
        record: The experiment.
        running_seconds: How long it has run until now, time stopped not counted.
        trial_counts: How many trials have each status.
        best_trial: The best succeeded trial.
        directory: Its folder.
        revision: The revision of the record when this was read.
    """

    record: ExperimentRecord
    running_seconds: float
    trial_counts: dict[TrialStatus, int]
    best_trial: TrialView | None
    directory: str
    revision: int


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a watch: everything that changed up to a revision.

    Attributes:
        revision: Watching again after it misses nothing.
        experiment: The experiment; None when neither it nor a trial changed.
        trials: The trials that changed.
        metrics: The results that were stored.
    """

    revision: int
    experiment: ExperimentView | None
    trials: tuple[TrialView, ...] = ()
    metrics: tuple[StoredMetric, ...] = ()


_UNCHANGED: Any = object()


@dataclass(frozen=True, slots=True)
class ExperimentUpdate:
    """What a person changes of a running experiment. What is left alone is `UNCHANGED`.

    Attributes:
        trial_concurrency: At least 1.
        max_trial_number: At least 1, or None for no limit.
        max_experiment_duration: As written ("1.5h", 90), or None for no limit.
        max_trial_duration: As written, or None for no limit; it holds for running trials too.
        search_space: The new search space.
    """

    trial_concurrency: int = field(default=_UNCHANGED)
    max_trial_number: int | None = field(default=_UNCHANGED)
    max_experiment_duration: str | int | float | None = field(default=_UNCHANGED)
    max_trial_duration: str | int | float | None = field(default=_UNCHANGED)
    search_space: Any = field(default=_UNCHANGED)


UNCHANGED = _UNCHANGED
"""Stands for a field of an ExperimentUpdate that is left alone."""
