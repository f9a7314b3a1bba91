"""The tuner of hyperopt's algorithms, and search spaces and parameters in hyperopt's forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward

if TYPE_CHECKING:
    from nni_manager.algorithms.hyperopt_forms import json2parameter as json2parameter
    from nni_manager.algorithms.hyperopt_forms import json2space as json2space
    from nni_manager.algorithms.hyperopt_forms import json2vals as json2vals
    from nni_manager.algorithms.tuners.hyperopt import HyperoptTuner as HyperoptTuner

__getattr__, __dir__ = forward(
    __name__, "nni_manager.algorithms.tuners.hyperopt", "nni_manager.algorithms.hyperopt_forms"
)
