"""The base class of the configurations of places where trials run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward

if TYPE_CHECKING:
    from nni_config import TrainingServiceConfig as TrainingServiceConfig

__getattr__, __dir__ = forward(__name__, "nni_config.training_service")
