"""The few facts about an experiment that lists show, kept beside its record by its manager."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from nni_config.private_files import write_private_file

SUMMARY_NAME = "summary.json"
"""The file in an experiment's folder that has them."""

ENDED_STATUSES = frozenset({"DONE", "STOPPED", "ERROR"})
"""The statuses of an experiment that nobody runs because it has ended."""

_NUMBER = (int, float)
_NUMBER_OR_NONE = (int, float, type(None))


@dataclass(frozen=True, slots=True)
class ExperimentSummary:
    """What a list shows of an experiment. Times are seconds since 1970; no field holds a secret.

    Attributes:
        experiment_id: Its id.
        name: Its name, "" when it has none.
        status: Its status as last stored; one that says it runs is true only while its manager runs.
        platform: Where its trials run; several names are separated by commas.
        created_at: When it was created.
        started_at: When it was first started.
        ended_at: When it ended; None while it has not.
        running_seconds: How long it has run, time stopped and paused not counted, when this was written.
        trial_counts: How many trials have each status.
        max_trial_number: After how many trials no new one starts; None for no limit.
        optimize_mode: "maximize" or "minimize".
        best_trial_id: The best succeeded trial, "" while there is none.
        best_objective: Its objective.
        paused: Whether it is paused.
        written_at: When this was written.
        algorithm: The name of its tuner or advisor, "" when it is not known.
    """

    experiment_id: str
    name: str
    status: str
    platform: str
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    running_seconds: float = 0.0
    trial_counts: dict[str, int] = field(default_factory=dict)
    max_trial_number: int | None = None
    optimize_mode: str = ""
    best_trial_id: str = ""
    best_objective: float | None = None
    paused: bool = False
    written_at: float = 0.0
    algorithm: str = ""

    @property
    def trial_count(self) -> int:
        """How many trials there are."""
        return sum(self.trial_counts.values())


_TYPES: dict[str, type | tuple[type, ...]] = {
    "experiment_id": str,
    "name": str,
    "status": str,
    "platform": str,
    "created_at": _NUMBER,
    "started_at": _NUMBER_OR_NONE,
    "ended_at": _NUMBER_OR_NONE,
    "running_seconds": _NUMBER,
    "trial_counts": dict,
    "max_trial_number": (int, type(None)),
    "optimize_mode": str,
    "best_trial_id": str,
    "best_objective": _NUMBER_OR_NONE,
    "paused": bool,
    "written_at": _NUMBER,
    "algorithm": str,
}


def write_summary(summary: ExperimentSummary, folder: Path) -> None:
    """Writes a summary into the experiment's folder, whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    write_private_file(folder / SUMMARY_NAME, json.dumps(asdict(summary), indent=1) + "\n")


def read_summary(folder: Path) -> ExperimentSummary | None:
    """Returns the summary in an experiment's folder, None when there is none that can be read."""
    try:
        values = json.loads((folder / SUMMARY_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return _checked(values)


def _checked(values: Any) -> ExperimentSummary | None:
    if not isinstance(values, dict):
        return None
    known = {name.name: values[name.name] for name in fields(ExperimentSummary) if name.name in values}
    if not all(isinstance(value, _TYPES[name]) for name, value in known.items()):
        return None
    counts = known.get("trial_counts", {})
    if not all(isinstance(name, str) and isinstance(count, int) for name, count in counts.items()):
        return None
    try:
        return ExperimentSummary(**known)
    except TypeError:  # a field is missing
        return None
