"""What the reading calls of an Experiment return."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward

if TYPE_CHECKING:
    from nni_client.data import TrialHyperParameters as TrialHyperParameters
    from nni_client.data import TrialJob as TrialJob
    from nni_client.data import TrialMetricData as TrialMetricData
    from nni_client.data import TrialResult as TrialResult

__getattr__, __dir__ = forward(__name__, "nni_client.data")
