"""Tuners and assessors by their names: built in, registered, and brought by packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward

if TYPE_CHECKING:
    from nni_manager.algorithms.package_utils import AlgoMeta as AlgoMeta
    from nni_manager.algorithms.package_utils import (
        create_builtin_class_instance as create_builtin_class_instance,
    )
    from nni_manager.algorithms.package_utils import (
        create_customized_class_instance as create_customized_class_instance,
    )
    from nni_manager.algorithms.package_utils import create_validator_instance as create_validator_instance
    from nni_manager.algorithms.package_utils import get_algo_meta as get_algo_meta
    from nni_manager.algorithms.package_utils import get_all_algo_meta as get_all_algo_meta
    from nni_manager.algorithms.package_utils import (
        get_builtin_module_class_name as get_builtin_module_class_name,
    )
    from nni_manager.algorithms.package_utils import register_algo_meta as register_algo_meta
    from nni_manager.algorithms.package_utils import unregister_algo_meta as unregister_algo_meta

__getattr__, __dir__ = forward(__name__, "nni_manager.algorithms.package_utils")
