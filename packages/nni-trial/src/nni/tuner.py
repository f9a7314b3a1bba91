"""The base class of tuners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward

if TYPE_CHECKING:
    from nni_manager.algorithms.tuner import Tuner as Tuner

__getattr__, __dir__ = forward(__name__, "nni_manager.algorithms.tuner")
