"""What the service refuses in a job, by its public description (mfe.json of Azure's REST specifications)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

JOB_PROPERTIES = {
    *("command", "codeId", "computeId", "description", "displayName", "distribution", "environmentId"),
    *("environmentVariables", "experimentName", "identity", "inputs", "isArchived", "jobType", "limits"),
    *("outputs", "properties", "queueSettings", "resources", "services", "tags"),
}
INPUT_TYPES = {"uri_file", "uri_folder", "literal", "mltable", "custom_model", "mlflow_model", "triton_model"}
MODES = {"ReadOnlyMount", "ReadWriteMount", "Download", "Direct", "EvalMount", "EvalDownload"}

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,254}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USED = re.compile(r"\$\{\{\s*inputs\.(\w+)\s*\}\}")
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")
_URI = re.compile(r"azureml://datastores/([\w-]+)/paths/(.+)")


class RefusedError(Exception):
    """The service would refuse that, with this status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def check_job(name: str, body: Any, *, workspace: str, computes: Mapping[str, Any], datastore: str) -> None:
    """Raises RefusedError for a command job that the service does not take."""
    _require(_NAME.fullmatch(name), f"The job name {name!r} is not valid")
    _require(
        isinstance(body, dict) and set(body) == {"properties"}, "The body has properties and nothing else"
    )
    job = body["properties"]
    unknown = set(job) - JOB_PROPERTIES
    _require(not unknown, f"Could not find members {sorted(unknown)} on object of type CommandJob")
    _require(job.get("jobType") == "Command", f"The job type {job.get('jobType')!r} is not supported here")
    _require(isinstance(job.get("command"), str) and job["command"].strip(), "The command is required")
    for place in ("tags", "environmentVariables", "properties"):
        texts = job.get(place) or {}
        _require(
            all(isinstance(key, str) and isinstance(value, str) for key, value in texts.items()),
            f"The values of {place} are strings",
        )
    for variable in job.get("environmentVariables") or {}:
        _require(_VARIABLE.fullmatch(variable), f"{variable!r} is not a name of an environment variable")
    _check_inputs(job, datastore)
    compute = str(job.get("computeId", ""))
    _require(
        compute.startswith(f"{workspace}/computes/"), f"The computeId {compute!r} is not of this workspace"
    )
    target = computes.get(compute.rpartition("/")[2])
    _require(target is not None, f"Compute {compute.rpartition('/')[2]} not found")
    resources = job.get("resources") or {}
    _require(
        set(resources) <= {"instanceCount", "instanceType", "properties", "shmSize", "dockerArgs"},
        "resources",
    )
    _require(resources.get("instanceCount", 1) >= 1, "instanceCount is 1 or more")


def _check_inputs(job: Mapping[str, Any], datastore: str) -> None:
    inputs = job.get("inputs") or {}
    for expression in _EXPRESSION.findall(job["command"]):
        known = _USED.fullmatch("${{" + expression + "}}")
        _require(
            known and known[1] in inputs, f"The expression {expression!r} of the command is not an input"
        )
    for name, each in inputs.items():
        _require(_VARIABLE.fullmatch(name), f"The input {name!r} has a bad name")
        _require(set(each) <= {"uri", "mode", "jobInputType", "description"}, f"Input {name}: {sorted(each)}")
        _require(each.get("jobInputType") in INPUT_TYPES, f"Input {name}: type {each.get('jobInputType')!r}")
        _require(each.get("mode") in MODES, f"Input {name}: mode {each.get('mode')!r}")
        found = _URI.fullmatch(str(each.get("uri")))
        _require(found and found[1] == datastore, f"Input {name}: there is no {each.get('uri')!r}")


def input_path(uri: str) -> str:
    """Returns the path in its datastore that an input names."""
    found = _URI.fullmatch(uri)
    assert found
    return found[2]


def filled_in(command: str, paths: Mapping[str, str]) -> str:
    """Returns a command with the paths of its inputs in it."""
    return _USED.sub(lambda found: paths[found[1]], command)


def _require(holds: object, message: str) -> None:
    if not holds:
        raise RefusedError(400, "UserError", message)
