"""A user's own settings of OpenPAI jobs, and what in them cannot be kept.

They are a job as OpenPAI's job protocol has it, or a part of one. What they have is kept, and what a trial
needs besides is added. What contradicts a field of the configuration, or would break trials, is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nni_config.names import short
from nni_config.units import parse_memory_size

if TYPE_CHECKING:
    from nni_config.openpai import OpenpaiConfig
    from nni_config.problems import Steps

TRIAL_ROLE = "trial"
"""The task role that runs the trial where there are several."""

IMAGE_NAME = "nni_image"
"""The name of the prerequisite for `docker_image`."""

SECRET_START = "NNI_"
"""How the names of secrets that are added begin."""

Complaint = tuple["Steps", str]
"""A place within the settings, and what is wrong there."""


def trial_role(settings: Mapping[str, Any]) -> str:
    """Returns the name of the task role that runs the trial: the only one, or the one called "trial"."""
    roles = settings.get("taskRoles")
    if isinstance(roles, Mapping) and len(roles) == 1:
        return str(next(iter(roles)))
    return TRIAL_ROLE


def memory_mebibytes(size: str | int | float) -> int:
    """Returns a size of memory as a job has it, in whole MiB."""
    return math.ceil(parse_memory_size(size))


def virtual_cluster_of(config: OpenpaiConfig, settings: Mapping[str, Any]) -> str:
    """Returns the virtual cluster that jobs are sent to."""
    named = config.virtual_cluster or _part(settings, "defaults").get("virtualCluster")
    return str(named or "default")


def complaints(config: OpenpaiConfig, settings: Mapping[str, Any]) -> Iterator[Complaint]:
    """Yields what is wrong with a user's own settings.

    Args:
        config: The configuration that they stand in.
        settings: What `openpai_config` or the file holds.
    """
    wrong_kinds = list(_wrong_kinds(settings))
    yield from wrong_kinds
    if wrong_kinds:
        return
    yield from _about_job(settings)
    roles = _part(settings, "taskRoles")
    name = trial_role(settings)
    if len(roles) > 1 and name not in roles:
        message = (
            f'there are {len(roles)} task roles; allowed is one, or one called "{TRIAL_ROLE}" among them'
        )
        yield ("taskRoles",), message
    elif name in roles:
        for path, message in _about_role(config, settings, roles[name]):
            yield ("taskRoles", name, *path), message
    cluster = _part(settings, "defaults").get("virtualCluster")
    if config.virtual_cluster is not None and cluster not in (None, config.virtual_cluster):
        message = f'it is {short(cluster)}, virtual_cluster "{config.virtual_cluster}"; allowed is one'
        yield ("defaults", "virtualCluster"), message
    yield from _about_storages(config, _part(settings, "extras").get("storages") or [])


def _wrong_kinds(settings: Mapping[str, Any]) -> Iterator[Complaint]:
    objects = ("taskRoles", "secrets", "parameters", "defaults", "extras")
    for name in objects:
        if not isinstance(settings.get(name), (Mapping, type(None))):
            yield (name,), f"{short(settings[name])} is not an object; allowed are names with values"
    roles = settings.get("taskRoles")
    if isinstance(roles, Mapping):
        for name, role in roles.items():
            if not isinstance(role, Mapping):
                yield ("taskRoles", str(name)), f"{short(role)} is not an object; allowed is a task role"
            elif not isinstance(role.get("resourcePerInstance"), (Mapping, type(None))):
                message = "it is not an object; allowed are cpu, memoryMB, gpu and ports"
                yield ("taskRoles", str(name), "resourcePerInstance"), message
    extras = settings.get("extras")
    storages = extras.get("storages") if isinstance(extras, Mapping) else None
    for path, value in (
        (("prerequisites",), settings.get("prerequisites")),
        (("extras", "storages"), storages),
    ):
        is_list = isinstance(value, list) and all(isinstance(element, Mapping) for element in value)
        if value is not None and not is_list:
            yield path, f"{short(value)} is not a list of objects"


def _about_job(settings: Mapping[str, Any]) -> Iterator[Complaint]:
    if settings.get("type") not in (None, "job"):
        yield ("type",), f'it is {short(settings["type"])}; allowed is "job"'
    if settings.get("protocolVersion") not in (None, 2, "2"):
        yield ("protocolVersion",), f"it is {short(settings['protocolVersion'])}; allowed is 2"
    if settings.get("jobRetryCount") not in (None, 0):
        message = (
            "a job that OpenPAI starts again would run trials twice; allowed is 0: write max_trial_retries"
        )
        yield ("jobRetryCount",), message
    for index, image in enumerate(settings.get("prerequisites") or []):
        if image.get("name") == IMAGE_NAME:
            yield (
                ("prerequisites", index, "name"),
                f'"{IMAGE_NAME}" is used for docker_image; allowed is another',
            )
    for name in _part(settings, "secrets"):
        if str(name).startswith(SECRET_START):
            message = f"names that begin with {SECRET_START} are used by trials; allowed is another name"
            yield ("secrets", str(name)), message


def _about_role(
    config: OpenpaiConfig, settings: Mapping[str, Any], role: Mapping[str, Any]
) -> Iterator[Complaint]:
    if role.get("instances") not in (None, 1):
        yield ("instances",), "the task role that runs the trial would run it more than once; allowed is 1"
    if role.get("taskRetryCount") not in (None, 0):
        message = (
            "a task that OpenPAI starts again would run trials twice; allowed is 0: write max_trial_retries"
        )
        yield ("taskRetryCount",), message
    commands = role.get("commands")
    if commands and commands != [config.trial_command]:
        message = (
            "the command of a trial is trial_command; leave commands out, and write what prepares the "
            "container into preCommands of a deployment"
        )
        yield ("commands",), message
    image = role.get("dockerImage")
    images = [it.get("name") for it in settings.get("prerequisites") or [] if it.get("type") == "dockerimage"]
    if image is not None and image not in images:
        message = f'{short(image)} is not the name of a prerequisite of the type "dockerimage"'
        yield ("dockerImage",), message
    fields: dict[str, tuple[str, int | None]] = {
        "cpu": ("trial_cpu_number", config.trial_cpu_number),
        "gpu": ("trial_gpu_number", config.trial_gpu_number),
        "memoryMB": (
            "trial_memory_size",
            None if config.trial_memory_size is None else memory_mebibytes(config.trial_memory_size),
        ),
    }
    for name, value in _part(role, "resourcePerInstance").items():
        field, wanted = fields.get(name, ("", None))
        if wanted is not None and value != wanted:
            message = (
                f"it is {short(value)} and {field} says {wanted}; allowed is the same, or to leave it out"
            )
            yield ("resourcePerInstance", name), message


def _about_storages(config: OpenpaiConfig, storages: list[Mapping[str, Any]]) -> Iterator[Complaint]:
    name, point = config.storage_config_name, config.container_storage_mount_point
    if name is None or point is None:
        return
    for index, storage in enumerate(storages):
        place = str(storage.get("mountPath") or f"/mnt/{storage.get('name')}").rstrip("/")
        if (storage.get("name") == name) != (place == point.rstrip("/")):
            message = (
                f'{short(storage.get("name"))} is mounted on "{place}", and storage_config_name "{name}" on '
                f'container_storage_mount_point "{point}"; allowed is each storage and each folder once'
            )
            yield ("extras", "storages", index), message


def _part(mapping: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = mapping.get(name)
    return found if isinstance(found, Mapping) else {}
