"""The model of learning curves behind the Curvefitting assessor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward

if TYPE_CHECKING:
    from nni_manager.algorithms.learning_curves.curve_model import CurveModel as CurveModel

__getattr__, __dir__ = forward(__name__, "nni_manager.algorithms.learning_curves.curve_model")
