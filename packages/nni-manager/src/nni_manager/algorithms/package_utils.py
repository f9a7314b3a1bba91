"""What people import as `nni.tools.package_utils`: algorithms by their names, built in and registered."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from nni_config.algorithms import AlgorithmKind
from nni_config.registered_algorithms import (
    AlgoMeta,
    read_registry,
    registered_algorithms,
    write_algorithms,
)

from nni_manager.algorithms.built_ins import BuiltIn
from nni_manager.algorithms.registry import built_in_algorithms

__all__ = [
    "AlgoMeta",
    "create_builtin_class_instance",
    "create_customized_class_instance",
    "create_validator_instance",
    "get_algo_meta",
    "get_all_algo_meta",
    "get_builtin_module_class_name",
    "register_algo_meta",
    "unregister_algo_meta",
]


def get_all_algo_meta() -> list[AlgoMeta]:
    """Returns what is known of every algorithm: the built-in ones first, then those that users have added."""
    kinds: tuple[AlgorithmKind, ...] = get_args(AlgorithmKind)
    built_in = [_meta_of(each) for kind in kinds for each in built_in_algorithms(kind)]
    return [*built_in, *registered_algorithms()]


def get_algo_meta(name: str) -> AlgoMeta | None:
    """Returns what is known of an algorithm by its name or alias in any case, None if there is none."""
    return next((meta for meta in get_all_algo_meta() if meta.has_name(name)), None)


def register_algo_meta(algo_meta: AlgoMeta) -> None:
    """Registers an algorithm; it replaces one that is registered as the same name.

    Raises:
        ValueError: The name is that of a built-in algorithm.
        OSError: It cannot be written.
    """
    known = get_algo_meta(algo_meta.name)
    if known is not None and known.is_builtin:
        raise ValueError(f"{algo_meta.name} is a built-in algorithm; allowed is a name of its own")
    others = [meta for meta in read_registry() if meta.name != algo_meta.name]
    write_algorithms([*others, algo_meta])


def unregister_algo_meta(name: str) -> None:
    """Forgets a registered algorithm. The name's case matters; one that is not registered changes nothing.

    Raises:
        OSError: It cannot be written.
    """
    registered = read_registry()
    rest = [meta for meta in registered if meta.name != name]
    if len(rest) < len(registered):
        write_algorithms(rest)


def create_validator_instance(algo_type: str, name: str) -> Any:
    """Returns a new instance of what checks the arguments of an algorithm, None if nothing does.

    Args:
        algo_type: "tuner" or "assessor".
        name: The algorithm's name or alias.

    Raises:
        ImportError: Its class cannot be imported.
    """
    meta = _find(algo_type, name)
    if meta is None or meta.validator_class_name is None:
        return None
    return load_class(meta.validator_class_name)()


def get_builtin_module_class_name(algo_type: str, name: str) -> tuple[str, str] | tuple[None, None]:
    """Returns the module and the class of an algorithm by its name; None twice if there is none.

    Args:
        algo_type: "tuner" or "assessor".
        name: Its name or alias.
    """
    meta = _find(algo_type, name)
    if meta is None:
        return None, None
    module, _, class_name = meta.class_name.rpartition(".")
    return module, class_name


def create_builtin_class_instance(name: str, class_args: Mapping[str, Any] | None, algo_type: str) -> Any:
    """Returns a new instance of an algorithm that is chosen by its name.

    Args:
        name: Its name or alias.
        class_args: The arguments of its class; those it was registered with are added.
        algo_type: "tuner" or "assessor".

    Raises:
        RuntimeError: There is none, or its module cannot be imported.
    """
    meta = _find(algo_type, name)
    if meta is None:
        raise RuntimeError(f"Builtin name is not found: {name}")
    try:
        algorithm_class = load_class(meta.class_name)
    except ImportError as error:
        raise RuntimeError(f"Builtin module can not be loaded: {error}") from error
    return algorithm_class(**{**(meta.class_args or {}), **(class_args or {})})


def create_customized_class_instance(class_params: Mapping[str, Any]) -> Any:
    """Returns a new instance of a class of the user's.

    Args:
        class_params: className, "module.Class"; codeDirectory, the folder that it is in; classArgs.

    Raises:
        ValueError: The folder does not exist.
        ImportError: The class cannot be imported.
    """
    folder = class_params.get("codeDirectory")
    if folder:
        if not Path(folder).is_dir():
            raise ValueError(f"Directory not found: {folder}")
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    return load_class(class_params["className"])(**(class_params.get("classArgs") or {}))


def load_class(class_path: str) -> type[Any]:
    """Returns the class of a path, "module.Class".

    Raises:
        ImportError: There is no such module or class.
    """
    module_name, _, class_name = class_path.rpartition(".")
    if not module_name:
        raise ImportError(f"the class name {class_path!r} should be 'module.Class'")
    found = getattr(importlib.import_module(module_name), class_name, None)
    if not isinstance(found, type):
        raise ImportError(f"the module {module_name} has no class {class_name}", name=module_name)
    return found


def _find(algo_type: str, name: str) -> AlgoMeta | None:
    return next((it for it in get_all_algo_meta() if it.algo_type == algo_type and it.has_name(name)), None)


def _meta_of(built_in: BuiltIn) -> AlgoMeta:
    return AlgoMeta(
        name=built_in.name,
        alias=built_in.aliases[0] if built_in.aliases else None,
        class_name=built_in.class_path,
        accept_class_args=True,
        class_args=dict(built_in.fixed_arguments) or None,
        validator_class_name=None,
        algo_type=built_in.kind,
        is_advisor=False,
        is_builtin=True,
        nni_version=None,
    )
