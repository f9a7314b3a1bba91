"""The types of what tuners and assessors are given."""

from __future__ import annotations

from typing import Any, TypedDict

Parameters = dict[str, Any]
"""The parameters of a trial."""

SearchSpace = dict[str, Any]
"""A search space: by parameter name an object of `_type` and `_value`."""

TrialMetric = Any
"""A result as the trial reported it."""


class TrialRecord(TypedDict):
    """A result of another experiment."""

    parameter: Parameters
    value: TrialMetric


class ParameterRecord(TypedDict, total=False):
    """What a trial is told about its parameters."""

    parameter_id: int | None
    parameters: Parameters
    parameter_source: str
    parameter_index: int
    trial_job_id: str
    version_info: Any
    placement_constraint: Any
