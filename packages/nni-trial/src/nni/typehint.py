"""The types of what tuners and assessors are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward

if TYPE_CHECKING:
    from nni_manager.algorithms.typehint import ParameterRecord as ParameterRecord
    from nni_manager.algorithms.typehint import Parameters as Parameters
    from nni_manager.algorithms.typehint import SearchSpace as SearchSpace
    from nni_manager.algorithms.typehint import TrialMetric as TrialMetric
    from nni_manager.algorithms.typehint import TrialRecord as TrialRecord

__getattr__, __dir__ = forward(__name__, "nni_manager.algorithms.typehint")
