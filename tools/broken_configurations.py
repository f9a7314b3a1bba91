"""Breaks valid configurations of every platform in every field, and shows what is said about each.

    .venv/bin/python tools/broken_configurations.py          prints the count, and what went wrong
    .venv/bin/python tools/broken_configurations.py --all    prints every change with the messages

It exits with 1 if one was accepted, was refused without naming the field, or raised another exception.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from nni_config import ConfigBase, ExperimentConfig, InvalidConfigError
from nni_config.fields import field_kinds
from nni_config.names import camel_case, comparable
from nni_config.training_service import training_service_class

Steps = tuple[str | int, ...]

NFS = {"storageType": "nfs", "server": "10.0.0.1", "path": "/export"}
ROLE = {"replicas": 1, "command": "a", "cpuNumber": 1, "memorySize": "1gb", "codeDirectory": "code"}
POLICY = {"minFailedTaskCount": 1, "minSucceedTaskCount": 1}
TASK = {"name": "w", "taskNumber": 1, "command": "a", "gpuNumber": 0, "cpuNumber": 1, "memorySize": 9}
SERVICES: dict[str, dict[str, Any]] = {
    "local": {"useActiveGpu": True},
    "remote": {"machineList": [{"host": "a", "user": "u", "password": "p"}]},
    "openpai": {
        "host": "pai",
        "username": "u",
        "token": "t",
        "trialCpuNumber": 1,
        "trialMemorySize": "8gb",
        "storageConfigName": "s",
        "localStorageMountPoint": "/",
        "containerStorageMountPoint": "/mnt",
    },
    "aml": {"subscriptionId": "i", "resourceGroup": "g", "workspaceName": "w", "computeTarget": "t"},
    "dlc": {
        **dict.fromkeys(("image", "ecsSpec", "region", "workspaceId", "nasDataSourceId", "accessKeyId"), "a"),
        **dict.fromkeys(("accessKeySecret", "localStorageMountPoint", "containerStorageMountPoint"), "a"),
        "podCount": 1,
    },
    "kubeflow": {"operator": "tf-operator", "apiVersion": "v1", "storage": NFS, "worker": ROLE},
    "frameworkcontroller": {
        "storage": NFS,
        "taskRoles": [{**TASK, "frameworkAttemptCompletionPolicy": POLICY}],
    },
}
"""The least that each platform needs."""

FILES: dict[str, bytes] = {
    "empty": b"",
    "a list": b"- a\n- b\n",
    "a text": b"just text\n",
    "a number": b"5\n",
    "tabs": b"tuner:\n\tname: TPE\n",
    "not UTF-8": b"experimentName: caf\xe9\n",
    "UTF-16": "trialConcurrency: 1\n".encode("utf-16"),
    "not closed": b"searchSpace: {x: [1\n",
    "an unknown alias": b"tuner: *a\n",
    "a tag": b"tuner: !!python/object:os.system {}\n",
    "two documents": b"debug: true\n---\ndebug: false\n",
    "a key twice": b"debug: true\ndebug: false\n",
    "wrong indentation": b"debug: true\n tuner: a\n",
    "a control character": b"experimentName: a\x01b\n",
}
"""Files that hold no configuration."""

WRONG = {
    "whole": ["many", 1.5, True, [1], {"a": 1}, -7, 2**40, "${n}"],
    "text": [[1], {"a": 1}, True, "${name}", "a\0b"],
    "bool": ["maybe", 5, [True], {"a": 1}, "${flag}"],
    "path": [[1], {"a": 1}, 5, "", "${folder}"],
    "choice": ["other", 5, [1], {"a": 1}, "${choice}"],
    "result": ["other", True, [1], {"a": 1}, "${value}"],
    "duration": ["soon", "5", "5 x", 0, -1, "0h", True, [1], {"a": 1}, "${time}"],
    "memory": ["much", "5", "5 x", 0, -1, "0gb", True, [1], {"a": 1}, "${size}"],
    "gpus": ["a", "0,0", -1, [0, 0], [1.5], True, {"a": 1}, "${gpus}"],
    "object": ["a", 5, [1], True, "${arguments}"],
    "texts": [5, True, {"a": 1}, [5], [" "], ["a", None], ""],
    "objects": ["a", 5, True, {"a": 1}, [5], [[1]], ["a"], [None], "${list}"],
    "nested": ["a", 5, [1], True, {"nosuch": 1}, "${part}"],
    "list": ["a", 5, True, {"nosuch": 1}, [5], [{"nosuch": 1}], [], "${list}"],
}
"""What is wrong for each sort of field."""

SORTS = {
    "max_experiment_duration": "duration",
    "max_trial_duration": "duration",
    "trial_stop_grace_period": "duration",
    "failed_trial_result": "result",
    "connect_timeout": "duration",
    "unreachable_limit": "duration",
    "max_code_size": "memory",
    "max_output_size": "memory",
    "output_files": "texts",
    "trial_memory_size": "memory",
    "memory_size": "memory",
    "gpu_indices": "gpus",
    "tuner_gpu_indices": "gpus",
    "class_args": "object",
    "openpai_config": "object",
    "search_space": "object",
    "initial_parameters": "objects",
}


@dataclass(frozen=True)
class Broken:
    """A configuration that is to be refused.

    Attributes:
        what: What was changed.
        content: What the file holds.
        where: The field that must be named, without case and underscores; empty for any.
    """

    what: str
    content: bytes
    where: str = ""


def valid(platform: str) -> dict[str, Any]:
    """Returns what a file with a valid configuration holds."""
    return {
        "searchSpace": {"x": {"_type": "uniform", "_value": [0, 1]}},
        "trialCommand": "a",
        "trialConcurrency": 1,
        "trialGpuNumber": 1,
        "tuner": {"name": "TPE"},
        "trainingService": {"platform": platform, **SERVICES[platform]},
    }


def every_broken() -> Iterator[Broken]:
    """Yields every broken configuration."""
    for what, content in FILES.items():
        yield Broken(f"file: {what}", content)
    yield from _broken_fields("experiment", ExperimentConfig, valid("local"), ())
    for platform in SERVICES:
        config_class = training_service_class(platform)
        yield from _broken_fields(platform, config_class, valid(platform), ("trainingService",))
        for key in SERVICES[platform]:
            if comparable(key) not in map(comparable, ExperimentConfig.model_fields):
                yield _with(f"{platform}: {key} misplaced", valid(platform), (key,), "a")


def _broken_fields(
    label: str, config_class: type[ConfigBase], file: dict[str, Any], path: Steps
) -> Iterator[Broken]:
    part = _at(file, path)
    for name in config_class.model_fields:
        kind, key = field_kinds(config_class)[name], camel_case(name)
        if key in part and _is_needed(config_class, name):
            yield _with(f"{label}: {key} missing", file, (*path, key), ...)
        yield _with(f"{label}: {key} misspelt", file, (*path, f"{key[:2]}q{key[2:]}"), "a")
        if name == "experiment_type" and not path:
            yield _with(f"{label}: {key} = nas", file, (*path, key), "nas")
        for wrong in WRONG[_sort(config_class, name)]:
            if not _is_allowed_after_all(name, wrong):
                yield _with(f"{label}: {key} = {wrong!r}", file, (*path, key), wrong)
        given = part.get(key)
        if kind.config_class is not None and isinstance(given, dict) and name != "training_service":
            yield from _broken_fields(f"{label}: {key}", kind.config_class, file, (*path, key))
        elif kind.config_class is not None and isinstance(given, list):
            yield from _broken_fields(f"{label}: {key}", kind.config_class, file, (*path, key, 0))


def _is_needed(config_class: type[ConfigBase], name: str) -> bool:
    extra = config_class.model_fields[name].json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("required"))


def _is_allowed_after_all(name: str, wrong: Any) -> bool:
    """Returns whether a value that is wrong elsewhere is right in this field."""
    if name in ("trial_command", "command"):
        return bool(wrong == "${name}")
    if name == "training_service":
        return bool(wrong == [])
    return (name, wrong) in (("min_failed_task_count", -7), ("min_succeed_task_count", -7)) or (
        name in ("min_failed_task_count", "min_succeed_task_count") and wrong == 2**40
    )


def _sort(config_class: type[ConfigBase], name: str) -> str:
    kind = field_kinds(config_class)[name]
    if name in SORTS:
        return SORTS[name]
    if kind.config_class is not None:
        return "list" if kind.must_be_list else "nested"
    if kind.is_path:
        return "path"
    if kind.is_bool:
        return "bool"
    if kind.is_text or kind.is_secret:
        return "text"
    annotation = config_class.model_fields[name].annotation
    literals = [each for part in (annotation, *get_args(annotation)) for each in get_args(part)]
    return "choice" if any(isinstance(each, str) for each in literals) else "whole"


def _at(file: Any, path: Steps) -> Any:
    for step in path:
        file = file[step]
    return file


def _with(what: str, file: dict[str, Any], path: Steps, value: Any) -> Broken:
    changed = copy.deepcopy(file)
    part = _at(changed, path[:-1])
    if value is ...:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    where = ".".join(comparable(step) if isinstance(step, str) else str(step) for step in path)
    return Broken(what, json.dumps(changed, indent=1).encode(), where)


def answer_to(broken: Broken, folder: Path) -> tuple[bool, str]:
    """Returns whether a configuration is refused as it should be, and what was said."""
    path = folder / "broken.yml"
    path.write_bytes(broken.content)
    try:
        ExperimentConfig.load(path).validate()
    except InvalidConfigError as error:
        named = [
            ".".join(comparable(step) if isinstance(step, str) else str(step) for step in problem.path)
            for problem in error.problems
        ]
        located = all(problem.line or not broken.where for problem in error.problems)
        found = not broken.where or any(_covers(broken.where, each) for each in named)
        return located and found, str(error).replace(f"{folder}/", "")
    except Exception as error:
        return False, f"raised {type(error).__name__}: {error}"
    return False, "accepted"


def _covers(where: str, named: str) -> bool:
    return named == where or named.startswith(f"{where}.")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--all", action="store_true", help="print every configuration's change and messages")
    options = parser.parse_args(arguments)
    count = 0
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for platform in SERVICES:
            Path(folder, "valid.yml").write_text(json.dumps(valid(platform)))
            ExperimentConfig.load(Path(folder, "valid.yml")).validate()
        for broken in every_broken():
            count += 1
            is_right, said = answer_to(broken, Path(folder))
            failed += not is_right
            if options.all or not is_right:
                print(
                    f"{'refused' if is_right else 'WRONG'}  {broken.what}\n    "
                    + said.replace("\n", "\n    ")
                )
    print(f"{count} broken configurations, {count - failed} refused with the field named, {failed} not")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
