"""Hyperband, which was an advisor in NNI and is a tuner here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward

if TYPE_CHECKING:
    from nni_manager.algorithms.tuners.hyperband import Hyperband as Hyperband

__getattr__, __dir__ = forward(__name__, "nni_manager.algorithms.tuners.hyperband")
