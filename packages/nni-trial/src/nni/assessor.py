"""The base class of assessors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward

if TYPE_CHECKING:
    from nni_manager.algorithms.assessor import Assessor as Assessor
    from nni_manager.algorithms.assessor import AssessResult as AssessResult

__getattr__, __dir__ = forward(__name__, "nni_manager.algorithms.assessor")
