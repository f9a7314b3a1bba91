"""Which places to run trials have a configuration class here, and where that class is."""

from __future__ import annotations

from importlib import import_module

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


def load_platform(platform: str) -> None:
    """Imports the module of a built-in platform's class."""
    import_module(f"nni_config.{PLATFORMS[platform].partition('.')[0]}")


def load_every_class() -> None:
    """Imports every module with configuration classes, so that they are found as subclasses."""
    for platform in PLATFORMS:
        load_platform(platform)
    import_module("nni_config.shared_storage")
