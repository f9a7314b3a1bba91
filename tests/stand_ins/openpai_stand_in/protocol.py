"""What OpenPAI's server checks in a submitted job, and what it makes of its commands."""

from __future__ import annotations

import re
from typing import Any

import yaml

NAME = re.compile(r"[a-zA-Z0-9_-]{1,255}")
VARIABLE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
TAG = re.compile(r"<%\s*(.*?)\s*%>", re.DOTALL)

JOB_KEYS = {
    *(
        "protocolVersion",
        "name",
        "type",
        "version",
        "contributor",
        "description",
        "prerequisites",
        "parameters",
    ),
    *("secrets", "jobRetryCount", "taskRoles", "deployments", "defaults", "extras"),
}
ROLE_KEYS = {
    *(
        "instances",
        "completion",
        "taskRetryCount",
        "prerequisites",
        "dockerImage",
        "data",
        "output",
        "script",
    ),
    *("extraContainerOptions", "resourcePerInstance", "commands"),
}
PREREQUISITE_KEYS = {
    *("protocolVersion", "name", "version", "contributor", "description", "type", "auth", "uri"),
    *("plugin", "require"),
}


class RefusedError(Exception):
    """The server does not take a request."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def _refuse(message: str) -> RefusedError:
    return RefusedError(400, "InvalidProtocolError", message)


def checked_job(text: bytes) -> dict[str, Any]:
    """Returns a submitted job, or raises what the server answers."""
    try:
        job = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _refuse(f"not YAML: {error}") from None
    if not isinstance(job, dict):
        raise _refuse("Request body must be object")
    _only(job, JOB_KEYS, "job")
    for key in ("protocolVersion", "name", "type", "taskRoles", "prerequisites"):
        if key not in job:
            raise _refuse(f"should have required property '{key}'")
    if job["protocolVersion"] not in (2, "2") or job["type"] != "job":
        raise _refuse("protocolVersion or type is not allowed")
    if not isinstance(job["name"], str) or not NAME.fullmatch(job["name"]):
        raise _refuse('name should match pattern "^[a-zA-Z0-9_-]+$"')
    _whole(job.get("jobRetryCount", 0), 0, "jobRetryCount")
    images = _images(job["prerequisites"])
    roles = job["taskRoles"]
    if not isinstance(roles, dict) or not roles:
        raise _refuse("taskRoles should have at least one property")
    for name, role in roles.items():
        _check_role(name, role, images)
    for key in ("secrets", "parameters", "defaults", "extras"):
        if not isinstance(job.get(key, {}), dict):
            raise _refuse(f"{key} should be object")
    deployments = [each["name"] for each in job.get("deployments", [])]
    wanted = job.get("defaults", {}).get("deployment")
    if wanted is not None and wanted not in deployments:
        raise _refuse(f"Default deployment {wanted} does not exist.")
    hived = job.get("extras", {}).get("hivedScheduler", {})
    for name in hived.get("taskRoles", {}):
        if name not in roles:
            raise _refuse(f"Hived error: {name} does not exist.")
    return job


def _images(prerequisites: Any) -> set[str]:
    if not isinstance(prerequisites, list) or not prerequisites:
        raise _refuse("prerequisites should NOT have fewer than 1 items")
    found: set[tuple[str, str]] = set()
    for each in prerequisites:
        _only(each, PREREQUISITE_KEYS, "prerequisites")
        if each.get("type") not in ("dockerimage", "script", "output", "data"):
            raise _refuse("prerequisites type is not allowed")
        if each["type"] == "dockerimage" and not (isinstance(each.get("uri"), str) and each.get("name")):
            raise _refuse("a dockerimage should have name and uri")
        key = (each["type"], each.get("name", ""))
        if key in found:
            raise _refuse(f"Duplicate {key[0]} prerequisites {key[1]}.")
        found.add(key)
    return {name for kind, name in found if kind == "dockerimage"}


def _check_role(name: Any, role: Any, images: set[str]) -> None:
    if not isinstance(name, str) or not VARIABLE.fullmatch(name):
        raise _refuse(f"taskRoles should NOT have additional property {name}")
    _only(role, ROLE_KEYS, f"taskRoles.{name}")
    _whole(role.get("instances", 1), 1, "instances")
    _whole(role.get("taskRetryCount", 0), 0, "taskRetryCount")
    resources = role.get("resourcePerInstance")
    _only(resources, {"cpu", "memoryMB", "gpu", "ports"}, "resourcePerInstance")
    for key in ("cpu", "memoryMB", "gpu"):
        _whole(resources.get(key), 0, key)
    commands = role.get("commands")
    if not isinstance(commands, list) or not commands or not all(isinstance(c, str) for c in commands):
        raise _refuse("commands should be a list of strings")
    if role.get("dockerImage") not in images:
        raise _refuse(f"Prerequisite {role.get('dockerImage')} does not exist.")
    _only(role.get("completion", {}), {"minFailedInstances", "minSucceededInstances"}, "completion")


def _only(value: Any, keys: set[str], place: str) -> None:
    if not isinstance(value, dict):
        raise _refuse(f"{place} should be object")
    if more := set(value) - keys:
        raise _refuse(f"{place} should NOT have additional properties: {', '.join(sorted(map(str, more)))}")


def _whole(value: Any, least: int, place: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise _refuse(f"{place} should be integer >= {least}")


def entrypoint(job: dict[str, Any], role: str) -> str:
    """Returns what a container of a role runs: its commands, joined and with references replaced."""
    commands = list(job["taskRoles"][role]["commands"])
    wanted = job.get("defaults", {}).get("deployment")
    for deployment in job.get("deployments", []):
        if deployment["name"] == wanted:
            part = deployment.get("taskRoles", {}).get(role, {})
            commands = [*part.get("preCommands", []), *commands, *part.get("postCommands", [])]
    joined = " && ".join(command.strip() for command in commands)

    def replaced(match: re.Match[str]) -> str:
        kind, _, name = match[1].partition(".")
        values = {"$secrets": job.get("secrets", {}), "$parameters": job.get("parameters", {})}.get(kind, {})
        return str(values.get(name, ""))

    return TAG.sub(replaced, joined).strip()
