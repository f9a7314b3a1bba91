"""What the V2 form needs said that followed from other keys in NNI's V1 form."""

from __future__ import annotations

from typing import Any

from nni_config.names import path_text, short
from nni_config.problems import Problem, Steps
from nni_config.v1_conversion import Work
from nni_config.v1_form import Place

_STORAGES = {"nfs": "nfs", "azureStorage": "azureStorage", "keyVault": "azureStorage"}


def add_what_v1_implied(work: Work) -> None:
    """Completes the V2 form of a V1 file."""
    for kind in ("tuner", "assessor", "advisor"):
        _join_class_name(work, kind)
    for place in work.places:
        if place.platform == "local":
            _add_use_active_gpu(work, place)
        elif place.platform == "kubeflow":
            _add_storage_type(work, place, "kubeflowConfig")
            _add_code_directories(work, place)
        elif place.platform == "frameworkcontroller":
            _add_storage_type(work, place, "frameworkcontrollerConfig")


def _join_class_name(work: Work, kind: str) -> None:
    """Makes one name of a class's file and of the class: of tuners/my.py and Best, tuners.my.Best."""
    file_path, file = work.entry(kind, "classFileName")
    class_path, name = work.entry(kind, "className")
    if file is None:
        return
    if name is None:
        message = f"it is set without {path_text(class_path)}; allowed is both or neither"
        work.problems.append(Problem(file_path, message))
        return
    if not isinstance(file, str) or not file.endswith(".py") or file.startswith(("/", "..")):
        message = f'{short(file)} is not a file of Python below codeDir; allowed is a path such as "tuner.py"'
        work.problems.append(Problem(file_path, message))
        return
    module = file.removesuffix(".py").removeprefix("./").replace("/", ".")
    if isinstance(name, str):
        work.put((kind, "className"), f"{module}.{name}", class_path)


def _add_use_active_gpu(work: Work, place: Place) -> None:
    """Says what V1 took as said: GPUs that other programs use are left alone."""
    target = (*place.prefix, "useActiveGpu")
    path, number = work.entry("trial", "gpuNum")
    if number in (None, 0, False) or work.at(target) is not None:
        return
    _add(work, target, False, path, "the V2 form needs it said; in V1 it was false where it was not set")


def _add_storage_type(work: Work, place: Place, section: str) -> None:
    target = (*place.prefix, "storage", "storageType")
    if work.at(target) is not None:
        return
    for name, kind in _STORAGES.items():
        path, value = work.entry(section, name)
        if value is not None:
            _add(work, target, kind, path, "the V2 form needs it said")
            return


def _add_code_directories(work: Work, place: Place) -> None:
    path, directory = work.entry("trial", "codeDir")
    for role in ("worker", "ps", "master"):
        if directory is not None and work.at((*place.prefix, role)) is not None:
            target = (*place.prefix, role, "codeDirectory")
            _add(work, target, directory, path, "each role has its own in the V2 form")


def _add(work: Work, target: Steps, value: Any, source: Steps, reason: str) -> None:
    shown = str(value).lower() if isinstance(value, bool) else value
    work.put(target, value, source)
    work.notes.append(Problem(source, f"it makes `{path_text(target)}: {shown}` too; {reason}"))
