"""Launch, watch and read experiments."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nni_client.data import TrialHyperParameters as TrialHyperParameters
    from nni_client.data import TrialJob as TrialJob
    from nni_client.data import TrialMetricData as TrialMetricData
    from nni_client.data import TrialResult as TrialResult
    from nni_client.experiment import Experiment as Experiment
    from nni_client.run_mode import RunMode as RunMode

_HOMES = {
    "Experiment": "experiment",
    "RunMode": "run_mode",
    "TrialHyperParameters": "data",
    "TrialJob": "data",
    "TrialMetricData": "data",
    "TrialResult": "data",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    # Imported on first use, so that `import nni_client` costs nothing.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return __all__
