"""Packages of others that have configuration classes for places where trials run.

A package that is registered, or that brings an entry point of the group nni.training_services, is imported
when its name is a platform that is not known. It has an attribute nni_training_service_info with
config_class, as for NNI; what an entry point leads to defines a subclass of TrainingServiceConfig. If that
attribute has make_platform or make_host too, the manager runs trials there.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from nni_config.config_directory import config_directory, write_registry

FILE_NAME = "training_services.json"
"""The file in the configuration's folder: packages by name, each with what NNI kept of it."""

_GROUP = "nni.training_services"


class TrainingServiceRegistryError(ValueError):
    """A registered package, or the file that names them, is broken; the text says how."""


def registry_file() -> Path:
    """Returns the file of registered packages; it need not be there."""
    return config_directory() / FILE_NAME


def registered_packages() -> dict[str, dict[str, Any]]:
    """Returns the registered packages by name, each with what NNI kept of it.

    Raises:
        TrainingServiceRegistryError: The file is broken.
    """
    path = registry_file()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise TrainingServiceRegistryError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise TrainingServiceRegistryError(f"{path} does not hold packages by name")
    return {str(name): value if isinstance(value, dict) else {} for name, value in content.items()}


def register_package(name: str) -> bool:
    """Registers a package with the configuration class of a training service.

    Returns:
        Whether it was registered before.

    Raises:
        TrainingServiceRegistryError: It cannot be imported, or has no such class; the file is broken.
        OSError: The file cannot be written.
    """
    info = _info(name)
    packages = registered_packages()
    was_there = name in packages
    packages[name] = {
        "nodeModulePath": str(getattr(info, "node_module_path", "") or ""),
        "nodeClassName": str(getattr(info, "node_class_name", "") or ""),
    }
    write_registry(FILE_NAME, json.dumps(packages, indent=4) + "\n")
    return was_there


def unregister_package(name: str) -> bool:
    """Forgets a package; returns whether it was registered.

    Raises:
        TrainingServiceRegistryError: The file is broken.
        OSError: The file cannot be written.
    """
    packages = registered_packages()
    if packages.pop(name, None) is None:
        return False
    write_registry(FILE_NAME, json.dumps(packages, indent=4) + "\n")
    return True


def known_packages() -> list[str]:
    """Returns the names of registered packages and of those that installed packages bring.

    Raises:
        TrainingServiceRegistryError: The file is broken.
    """
    return sorted({*registered_packages(), *_brought()})


def load_package(platform: str) -> bool:
    """Imports the package that has the configuration class of a platform; returns whether there is one.

    Raises:
        TrainingServiceRegistryError: It cannot be imported, or the file is broken.
    """
    if platform in _brought():
        _import(_brought()[platform])
        return True
    if platform in registered_packages():
        _import(platform)
        return True
    return False


def service_info(platform: str) -> Any:
    """Returns nni_training_service_info of the package that has a platform, None where there is none.

    Raises:
        TrainingServiceRegistryError: The package cannot be imported, or the file is broken.
    """
    name = _brought().get(platform) or (platform if platform in registered_packages() else None)
    return None if name is None else getattr(_import(name), "nni_training_service_info", None)


def is_runnable(info: Any) -> bool:
    """Returns whether a package brings what runs trials, by what `service_info` returned."""
    return any(getattr(info, name, None) is not None for name in ("make_platform", "make_host"))


def _info(name: str) -> Any:
    from nni_config.training_service import TrainingServiceConfig

    module = _import(name)
    info = getattr(module, "nni_training_service_info", None)
    config_class = getattr(info, "config_class", None)
    if not isinstance(config_class, type) or not issubclass(config_class, TrainingServiceConfig):
        raise TrainingServiceRegistryError(
            f"the package {name} has no training service: it needs an attribute nni_training_service_info "
            "whose config_class is a subclass of nni.experiment.config.training_service.TrainingServiceConfig"
        )
    platform = config_class.model_fields["platform"].default
    if platform != name:
        raise TrainingServiceRegistryError(
            f"{config_class.__name__}'s platform is {platform!r}; allowed is the package's name {name!r}"
        )
    return info


def _import(name: str) -> Any:
    try:
        return import_module(name)
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise TrainingServiceRegistryError(f"the package {name} cannot be imported: {what}") from error


@cache
def _brought() -> dict[str, str]:
    """Returns modules by platform that installed packages bring; they are looked at once."""
    from importlib.metadata import entry_points

    return {point.name: point.value.partition(":")[0] for point in entry_points(group=_GROUP)}
