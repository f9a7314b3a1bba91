"""nnictl trainingservice."""

from __future__ import annotations

from nni_config.platforms import PLATFORMS
from nni_config.registered_training_services import (
    known_packages,
    register_package,
    registered_packages,
    unregister_package,
)

from nni_client.commands.output import print_json


def register(package: str) -> None:
    """Registers a package that has the configuration class of a training service.

    Raises:
        ValueError: It is built in, cannot be imported, or has no such class.
        OSError: The file of registered packages cannot be written.
    """
    if package in PLATFORMS:
        raise ValueError(f"{package} is provided by nni; allowed is a package of its own name")
    was_there = register_package(package)
    # NNI's own spelling, which scripts look for.
    print(f"Sucessfully {'updated' if was_there else 'registered'} {package}")


def unregister(package: str) -> None:
    """Forgets a registered package.

    Raises:
        RuntimeError: It is not registered.
    """
    if not unregister_package(package):
        known = ", ".join(registered_packages()) or "none"
        reason = "comes with an installed package" if package in known_packages() else "is not registered"
        raise RuntimeError(f"{package} {reason}; registered packages: {known}")
    print(f"Sucessfully unregistered {package}")


def show_all(as_json: bool) -> None:
    """Prints the names of packages with training services that users have added, one a line."""
    names = known_packages()
    if as_json:
        print_json(names)
        return
    for name in names:
        print(name)
