"""Which places to run trials have a configuration class here, and where that class is."""

from __future__ import annotations

from importlib import import_module
from typing import Any

PLATFORMS = {
    "local": "local.LocalConfig",
    "remote": "remote.RemoteConfig",
    "openpai": "openpai.OpenpaiConfig",
    "aml": "aml.AmlConfig",
    "dlc": "dlc.DlcConfig",
    "kubeflow": "kubeflow.KubeflowConfig",
    "frameworkcontroller": "frameworkcontroller.FrameworkControllerConfig",
}
"""The built-in platforms, each with the module and the class of its configuration."""

OTHER_NAMES = {
    "pai": "it is called openpai now",
    "hybrid": "write a list of training services",
    "adl": "AdaptDL was removed from NNI",
    "dlts": "DLTS was removed from NNI",
    "slurm": "use remote or local on the machine that Slurm gives",
    "ssh": "it is called remote",
}
"""What people write that is none, with what to do instead."""


def load_platform(platform: str) -> type[Any]:
    """Returns a built-in platform's class; its module is imported only now."""
    module, _, name = PLATFORMS[platform].partition(".")
    config_class: type[Any] = getattr(import_module(f"nni_config.{module}"), name)
    return config_class


def load_every_class() -> None:
    """Imports every module with configuration classes, so that they are found as subclasses."""
    for platform in PLATFORMS:
        load_platform(platform)
    import_module("nni_config.shared_storage")
