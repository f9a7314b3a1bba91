"""Commands about training services that users add."""

from __future__ import annotations

from typing import Annotated

import typer

from nni_client.commands.groups import AsJson, trainingservice

Package = Annotated[
    str, typer.Option("--package", "-p", metavar="NAME", help="The package, whose name is the platform's.")
]


@trainingservice.command("register")
def register_training_service(package: Package) -> None:
    """Register a package with a training service, so that configurations can name its platform.

    The package has an attribute nni_training_service_info with config_class, a subclass of
    TrainingServiceConfig.
    """
    from nni_client.commands.training_services import register

    register(package)


@trainingservice.command("unregister")
def unregister_training_service(package: Package) -> None:
    """Forget a registered package."""
    from nni_client.commands.training_services import unregister

    unregister(package)


@trainingservice.command("list")
def list_training_services(as_json: AsJson = False) -> None:
    """List the packages with training services that were registered, or that installed packages bring."""
    from nni_client.commands.training_services import show_all

    show_all(as_json)
