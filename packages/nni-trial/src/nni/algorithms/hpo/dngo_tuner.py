"""The DNGO tuner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward

if TYPE_CHECKING:
    from nni_manager.algorithms.tuners.dngo import DNGOTuner as DNGOTuner

__getattr__, __dir__ = forward(__name__, "nni_manager.algorithms.tuners.dngo")
