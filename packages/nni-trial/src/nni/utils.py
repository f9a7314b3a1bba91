"""Helpers for tuners, and one for trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward
from nni._merge import merge_parameter as merge_parameter  # trials use it where no nni-manager is

if TYPE_CHECKING:
    from nni_manager.algorithms.utils import ClassArgsValidator as ClassArgsValidator
    from nni_manager.algorithms.utils import MetricType as MetricType
    from nni_manager.algorithms.utils import NodeType as NodeType
    from nni_manager.algorithms.utils import OptimizeMode as OptimizeMode
    from nni_manager.algorithms.utils import convert_dict2tuple as convert_dict2tuple
    from nni_manager.algorithms.utils import extract_scalar_history as extract_scalar_history
    from nni_manager.algorithms.utils import extract_scalar_reward as extract_scalar_reward
    from nni_manager.algorithms.utils import json2parameter as json2parameter
    from nni_manager.algorithms.utils import json2space as json2space
    from nni_manager.algorithms.utils import split_index as split_index

__getattr__, __dir__ = forward(__name__, "nni_manager.algorithms.utils", own=("merge_parameter",))
