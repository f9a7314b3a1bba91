"""Random samplers of the search space's types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward

if TYPE_CHECKING:
    from nni_manager.algorithms.parameter_expressions import choice as choice
    from nni_manager.algorithms.parameter_expressions import lognormal as lognormal
    from nni_manager.algorithms.parameter_expressions import loguniform as loguniform
    from nni_manager.algorithms.parameter_expressions import normal as normal
    from nni_manager.algorithms.parameter_expressions import qlognormal as qlognormal
    from nni_manager.algorithms.parameter_expressions import qloguniform as qloguniform
    from nni_manager.algorithms.parameter_expressions import qnormal as qnormal
    from nni_manager.algorithms.parameter_expressions import quniform as quniform
    from nni_manager.algorithms.parameter_expressions import randint as randint
    from nni_manager.algorithms.parameter_expressions import uniform as uniform

__getattr__, __dir__ = forward(__name__, "nni_manager.algorithms.parameter_expressions")
