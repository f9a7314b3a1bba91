"""Helpers for writing tuners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward

if TYPE_CHECKING:
    from nni_manager.algorithms.hpo_utils import Deduplicator as Deduplicator
    from nni_manager.algorithms.hpo_utils import OptimizeMode as OptimizeMode
    from nni_manager.algorithms.hpo_utils import ParameterSpec as ParameterSpec
    from nni_manager.algorithms.hpo_utils import deformat_parameters as deformat_parameters
    from nni_manager.algorithms.hpo_utils import format_parameters as format_parameters
    from nni_manager.algorithms.hpo_utils import format_search_space as format_search_space
    from nni_manager.algorithms.hpo_utils import validate_search_space as validate_search_space

__getattr__, __dir__ = forward(__name__, "nni_manager.algorithms.hpo_utils")
