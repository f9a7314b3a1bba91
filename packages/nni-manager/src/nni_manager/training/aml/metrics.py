"""What trials report as metrics of MLflow, which Azure ML's studio shows beside a job."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nni_manager.engine.events import Report, TrialReported
from nni_manager.engine.statuses import MetricKind

LONGEST_NAME = 250
"""How many letters the name of a metric may have."""

_NOT_ALLOWED = re.compile(r"[^\w\-. /]", re.ASCII)
_NAMES = {MetricKind.INTERMEDIATE: "intermediate", MetricKind.FINAL: "final"}
_DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Metric:
    """One number.

    Attributes:
        name: What it is called in the studio.
        value: The number, which may be none that is finite.
        step: The number of the report among those of its process.
        reported_at: When it was reported, in seconds since the epoch.
    """

    name: str
    value: float
    step: int
    reported_at: float

    def as_json(self) -> dict[str, Any]:
        """Returns it as MLflow's REST interface takes it, which is protobuf's JSON form."""
        return {
            "key": self.name,
            "value": self.value if math.isfinite(self.value) else _not_finite(self.value),
            "timestamp": int(self.reported_at * 1000),
            "step": self.step,
        }


def metrics_of(event: TrialReported, *, names_trial: bool) -> list[Metric]:
    """Returns the numbers in what a trial reported.

    A plain result is called "intermediate" or "final". So is what a dict has under "default"; other numbers
    in a dict are called by their keys, those of a final result "final/KEY".

    Args:
        event: What it reported.
        names_trial: Whether the names begin with the trial, as several share a job.
    """
    prefix = f"{event.trial_id}/" if names_trial else ""
    return [
        Metric(_allowed(prefix + name), value, report.number, report.reported_at)
        for report in event.reports
        for name, value in _numbers(report)
    ]


def _numbers(report: Report) -> Iterator[tuple[str, float]]:
    own = _NAMES[report.kind]
    if not isinstance(report.value, dict):
        found = {own: report.value}
    else:
        prefix = "final/" if report.kind is MetricKind.FINAL else ""
        found = {own if key == _DEFAULT else f"{prefix}{key}": each for key, each in report.value.items()}
    for name, value in found.items():
        if isinstance(value, (int, float)):
            yield name, _double(value)


def _double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer of hundreds of digits
        return math.inf if value > 0 else -math.inf


def _allowed(name: str) -> str:
    """Returns a name as MLflow takes it: a relative path of letters, digits and few signs."""
    parts = [part for part in _NOT_ALLOWED.sub("_", name).split("/") if part not in ("", ".", "..")]
    return "/".join(parts)[:LONGEST_NAME].rstrip("/") or "_"


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
