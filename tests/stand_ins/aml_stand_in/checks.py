"""What the service refuses in a job, by its public description (mfe.json of Azure's REST specifications)."""

from __future__ import annotations

import math
import posixpath
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

JOB_PROPERTIES = {
    *("command", "codeId", "computeId", "description", "displayName", "distribution", "environmentId"),
    *("environmentVariables", "experimentName", "identity", "inputs", "isArchived", "jobType", "limits"),
    *("outputs", "properties", "queueSettings", "resources", "services", "tags"),
}
INPUT_TYPES = {"uri_file", "uri_folder", "literal", "mltable", "custom_model", "mlflow_model", "triton_model"}
MODES = {"ReadOnlyMount", "ReadWriteMount", "Download", "Direct", "EvalMount", "EvalDownload"}

MOST_METRICS = 1000
"""How many metrics a request may have, by MLflow's documentation."""

MOST_VALUES = 250
"""How many of one name, as Azure ML has answered."""

_METRIC = re.compile(r"[A-Za-z0-9_\-. /]+")
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


def check_metrics(body: Any) -> None:
    """Raises RefusedError for what MLflow's log-batch does not take, or Azure ML's part of it."""
    _require(isinstance(body, dict), "The body is an object")
    _require(set(body) <= {"run_id", "metrics", "params", "tags"}, f"The body has {sorted(body)}")
    metrics = body.get("metrics", [])
    _require(len(metrics) <= MOST_METRICS, f"{len(metrics)} metrics are more than {MOST_METRICS}")
    for metric in metrics:
        _require(set(metric) == {"key", "value", "timestamp", "step"}, f"A metric has {sorted(metric)}")
        _check_metric(metric)
    (_, most), *_rest = Counter(metric["key"] for metric in metrics).most_common(1) or [("", 0)]
    _require(
        most <= MOST_VALUES,
        "A field of the entity is over the size limit. FieldName=MetricV2Dto.Value/Count, "
        f"Limit={MOST_VALUES}, Size={most}.",
    )


def _check_metric(metric: Mapping[str, Any]) -> None:
    key, value = metric["key"], metric["value"]
    _require(isinstance(key, str) and _METRIC.fullmatch(key) and len(key) <= 250, f"Invalid name {key!r}")
    is_path = posixpath.normpath(key) == key and not key.startswith(("/", "..")) and key != "."
    _require(is_path, f"Invalid metric name {key!r}: it is no relative path")
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    _require(is_number or value in ("NaN", "Infinity", "-Infinity"), f"Invalid value {value!r}")
    for name in ("timestamp", "step"):
        _require(type(metric[name]) is int, f"Invalid {name} {metric[name]!r}")
    _require(1e12 < metric["timestamp"] < 1e13, f"{metric['timestamp']} is no time in milliseconds")


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
