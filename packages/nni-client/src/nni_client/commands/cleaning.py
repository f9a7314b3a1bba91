"""nnictl platform clean."""

from __future__ import annotations

from pathlib import Path

from nni_config import ExperimentConfig


def explain_cleaning(config_file: Path) -> None:
    """Prints how to remove what trials of a configuration left on other machines.

    Args:
        config_file: The configuration.

    Raises:
        ValueError: The configuration is not valid.
        OSError: The file cannot be read.
    """
    config = ExperimentConfig.load(config_file)
    services = config.training_service
    for service in services if isinstance(services, list) else [services]:
        print(_advice(service.platform if service is not None else "local"))


def _advice(platform: str) -> str:
    if platform == "local":
        return "local: nothing lies on other machines; nnictl experiment delete ID removes an experiment."
    return (
        f"{platform}: an experiment removes what it put on other machines when it ends. Where one could not "
        "be reached then, remove the experiment's folder there by hand, ~/nni-experiments/ID or what the "
        "configuration names instead."
    )
