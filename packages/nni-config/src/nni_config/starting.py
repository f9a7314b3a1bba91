"""What a valid configuration can ask for that no trial can be run with here."""

from __future__ import annotations

from nni_config.experiment import ExperimentConfig
from nni_config.local import LocalConfig
from nni_config.problems import Problem, Steps
from nni_config.registered_training_services import (
    TrainingServiceRegistryError,
    is_runnable,
    service_info,
)
from nni_config.training_service import is_built_in

NOT_RUN = {
    "dlc": "on Alibaba Cloud, start the experiment inside a DLC job or DSW instance, with `platform: local`",
    "kubeflow": "on Kubernetes, start the experiment in a pod or notebook there, with `platform: local`",
    "frameworkcontroller": "on Kubernetes, start the experiment in a pod there, with `platform: local`",
}
"""The built-in platforms that can be described and not run, each with what to do instead."""

_WITHOUT_SHARED_STORAGE = {
    "local": "all trials run on this machine, where every folder is shared; leave it out",
    "openpai": "trials on OpenPAI use the storage that storage_config_name names; leave it out",
}
"""The platforms whose trials have no use for shared_storage, and why."""

_OF_OTHERS = "start the experiment there, with `platform: local`"
"""What to do instead on a platform whose package brings its configuration."""


def start_problems(config: ExperimentConfig) -> list[Problem]:
    """Returns why an experiment with a valid configuration cannot be started by this version.

    Args:
        config: A canonical configuration.
    """
    services = config.training_services()
    problems: list[Problem] = []
    for index, service in enumerate(services):
        place: Steps = (index,) if len(services) > 1 else ()
        advice = NOT_RUN.get(service.platform) if is_built_in(type(service)) else _advice(service.platform)
        if advice is not None and not isinstance(service, LocalConfig):
            message = f"this version does not run trials on {service.platform!r}; to have them run {advice}"
            problems.append(Problem(("training_service", *place, "platform"), message))
    if config.shared_storage is not None and all(it.platform in _WITHOUT_SHARED_STORAGE for it in services):
        platform = next((it.platform for it in services if it.platform != "local"), "local")
        problems.append(Problem(("shared_storage",), _WITHOUT_SHARED_STORAGE[platform]))
    return [config._located(problem) for problem in problems]


def _advice(platform: str) -> str | None:
    """Returns what to do instead on a platform of another package, None if that brings what runs trials."""
    try:
        info = service_info(platform)
    except TrainingServiceRegistryError:
        return _OF_OTHERS
    return None if is_runnable(info) else _OF_OTHERS
