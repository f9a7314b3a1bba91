"""The job of a trial in OpenPAI's job protocol: the user's own settings, and what a trial needs besides."""

from __future__ import annotations

import copy
import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from nni_config.openpai import OpenpaiConfig
from nni_config.openpai_job import IMAGE_NAME, memory_mebibytes, trial_role

from nni_manager.training.jobs.platform import JobOrder

SUBMITTED_FROM = "nni"
"""What the portal shows as where jobs come from."""

_TEMPLATE_START = "<%"
"""What OpenPAI replaces in commands begins with it."""


def job_protocol(
    config: OpenpaiConfig,
    settings: Mapping[str, Any],
    order: JobOrder,
    *,
    experiment_id: str,
    wrap: Callable[[str], str] | None = None,
) -> dict[str, Any]:
    """Returns a job as it is submitted.

    Args:
        config: The canonical configuration.
        settings: The user's own settings, checked.
        order: What runs in it.
        experiment_id: The experiment.
        wrap: Returns the lines of bash that run a word of bash as a command, None to run it as it is.
    """
    job: dict[str, Any] = copy.deepcopy(dict(settings))
    job.update(protocolVersion=2, name=order.name, type="job", jobRetryCount=0)
    role_name = trial_role(job)
    roles = job.setdefault("taskRoles", {}) or {}
    job["taskRoles"] = roles
    role = roles.setdefault(role_name, {})
    role.update(instances=1, taskRetryCount=0)
    role.setdefault("completion", {"minFailedInstances": 1, "minSucceededInstances": 1})
    job["prerequisites"] = list(job.get("prerequisites") or [])
    if role.get("dockerImage") is None:
        image = {"type": "dockerimage", "name": IMAGE_NAME, "uri": config.docker_image}
        job["prerequisites"].append(image)
        role["dockerImage"] = IMAGE_NAME
    role["resourcePerInstance"] = {
        **(role.get("resourcePerInstance") or {}),
        "cpu": config.trial_cpu_number,
        "memoryMB": memory_mebibytes(config.trial_memory_size),
        "gpu": config.trial_gpu_number or 0,
    }
    role["commands"] = [_command(order, wrap)]
    if order.secrets:
        # Quoted, since they are put into the command as they are.
        ours = {name: shlex.quote(value) for name, value in order.secrets.items()}
        job["secrets"] = {**(job.get("secrets") or {}), **ours}
    if config.virtual_cluster is not None:
        job["defaults"] = {**(job.get("defaults") or {}), "virtualCluster": config.virtual_cluster}
    job["extras"] = _extras(config, job.get("extras") or {}, experiment_id)
    return {name: value for name, value in job.items() if value is not None}


def as_yaml(job: Mapping[str, Any]) -> str:
    """Returns a job as YAML that every reader takes the same way: JSON is YAML, and quotes every text."""
    text = json.dumps(job, ensure_ascii=False, indent=2, allow_nan=False)
    return "".join(c if c.isprintable() or c == "\n" else f"\\U{ord(c):08x}" for c in text)


def _extras(config: OpenpaiConfig, extras: Mapping[str, Any], experiment_id: str) -> dict[str, Any]:
    storages = list(extras.get("storages") or [])
    if not any(storage.get("name") == config.storage_config_name for storage in storages):
        point = config.container_storage_mount_point.rstrip("/")
        storages.append({"name": config.storage_config_name, "mountPath": point})
    mine = {"storages": storages, "nniExperiment": experiment_id}
    return {"submitFrom": SUBMITTED_FROM, **extras, **mine}


def _command(order: JobOrder, wrap: Callable[[str], str] | None) -> str:
    """Returns the lines of a job: what comes before and after it in a deployment is joined to them by &&."""
    lines = [f"export {name}={_quoted(value)}" for name, value in order.environment.items()]
    lines += [f"export {name}=<% $secrets.{name} %>" for name in order.secrets]
    command = order.command
    if wrap is not None:
        command = wrap(_quoted(command))
    elif _TEMPLATE_START in command:
        command = f"eval {_quoted(command)}"
    return "\n".join(["(", *lines, command.rstrip("\n"), ")"])


def _quoted(text: str) -> str:
    """Returns a text as a word of bash in which there is nothing that OpenPAI replaces."""
    return shlex.quote(text).replace(_TEMPLATE_START, "<''%")
