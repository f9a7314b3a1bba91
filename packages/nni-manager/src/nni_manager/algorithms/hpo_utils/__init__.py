"""One meaning of the search space for all tuners."""

from nni_manager.algorithms.hpo_utils.deduplicator import Deduplicator
from nni_manager.algorithms.hpo_utils.formatting import deformat_parameters, format_parameters
from nni_manager.algorithms.hpo_utils.parameter_spec import ParameterSpec, format_search_space
from nni_manager.algorithms.hpo_utils.validation import search_space_problems, validate_search_space
from nni_manager.algorithms.results import OptimizeMode

__all__ = [
    "Deduplicator",
    "OptimizeMode",
    "ParameterSpec",
    "deformat_parameters",
    "format_parameters",
    "format_search_space",
    "search_space_problems",
    "validate_search_space",
]
