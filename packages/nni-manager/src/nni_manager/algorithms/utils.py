"""What people import as `nni.utils`, which adds merge_parameter for trials."""

from nni_manager.algorithms.class_args_validator import ClassArgsValidator
from nni_manager.algorithms.indexed_parameters import (
    NodeType,
    convert_dict2tuple,
    json2parameter,
    json2space,
    split_index,
)
from nni_manager.algorithms.results import (
    MetricType,
    OptimizeMode,
    extract_scalar_history,
    extract_scalar_reward,
)

__all__ = [
    "ClassArgsValidator",
    "MetricType",
    "NodeType",
    "OptimizeMode",
    "convert_dict2tuple",
    "extract_scalar_history",
    "extract_scalar_reward",
    "json2parameter",
    "json2space",
    "split_index",
]
