"""Experiments from Python: the class, its configuration, and what it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward

if TYPE_CHECKING:
    from nni_client import Experiment as Experiment
    from nni_client import RunMode as RunMode

    from nni.experiment.config import *  # noqa: F403
    from nni.experiment.data import *  # noqa: F403

__getattr__, __dir__ = forward(__name__, "nni_client", "nni_config")
