"""What becomes of every key of NNI's V1 form, and what NNI 3.0 itself makes of such files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nni_config.origin import Origin
from nni_config.v1_conversion import Conversion, converted
from nni_config.v1_form import known_keys
from nni_config.v1_keys import COMMON, OF_PLATFORM, PLATFORMS, Dropped, Section
from nni_config.yaml_file import YamlDocument

RECORDED = json.loads((Path(__file__).parent / "data" / "v1_conversions.json").read_text())

STORAGE = {
    "storage": "trainingService.storage.storageType",
    "nfs.server": "trainingService.storage.server",
    "nfs.path": "trainingService.storage.path",
    "keyVault.vaultName": "trainingService.storage.keyVaultName",
    "keyVault.name": "trainingService.storage.keyVaultKey",
    "azureStorage.accountName": "trainingService.storage.azureAccount",
    "azureStorage.azureShare": "trainingService.storage.azureShare",
    "uploadRetryCount": None,
    "reuse": "trainingService.reuseMode",
    "namespace": "trainingService.namespace",
}
ROLE = {
    "command": "command",
    "gpuNum": "gpuNumber",
    "cpuNum": "cpuNumber",
    "memoryMB": "memorySize",
    "image": "dockerImage",
    "privateRegistryAuthPath": None,
}
POLICY = "trainingService.taskRoles.0.frameworkAttemptCompletionPolicy."
MACHINE = {
    "ip": "host",
    "port": "port",
    "username": "user",
    "passwd": "password",
    "sshKeyPath": "sshKeyFile",
    "passphrase": "sshPassphrase",
    "useActiveGpu": "useActiveGpu",
    "maxTrialNumPerGpu": "maxTrialNumberPerGpu",
    "gpuIndices": "gpuIndices",
    "pythonPath": "pythonPath",
}
EXPECTED: dict[str, dict[str, str | None]] = {
    "local": {
        "authorName": None,
        "description": None,
        "experimentName": "experimentName",
        "trialConcurrency": "trialConcurrency",
        "maxExecDuration": "maxExperimentDuration",
        "maxTrialDuration": "maxTrialDuration",
        "maxTrialNum": "maxTrialNumber",
        "searchSpacePath": "searchSpaceFile",
        "multiPhase": None,
        "multiThread": None,
        "nniManagerIp": "nniManagerIp",
        "logDir": "experimentWorkingDirectory",
        "debug": "debug",
        "versionCheck": None,
        "logLevel": "logLevel",
        "logCollection": None,
        "useAnnotation": "useAnnotation",
        "trial.command": "trialCommand",
        "trial.codeDir": "trialCodeDirectory",
        "trial.gpuNum": "trialGpuNumber",
        "trial.nasMode": None,
        **{
            f"{kind}.{key}": target and target.replace("KIND", kind)
            for kind in ("tuner", "assessor", "advisor")
            for key, target in {
                f"builtin{kind.capitalize()}Name": "KIND.name",
                "className": "KIND.className",
                "codeDir": "KIND.codeDirectory",
                "classArgs": "KIND.classArgs",
                "gpuIndices": "tunerGpuIndices",
                "includeIntermediateResults": None,
            }.items()
        },
        "localConfig.useActiveGpu": "trainingService.useActiveGpu",
        "localConfig.maxTrialNumPerGpu": "trainingService.maxTrialNumberPerGpu",
        "localConfig.gpuIndices": "trainingService.gpuIndices",
        **{
            f"sharedStorage.{name}": f"sharedStorage.{name}"
            for name in (
                *("storageType", "localMountPoint", "remoteMountPoint", "localMounted", "nfsServer"),
                *("exportedDirectory", "storageAccountName", "storageAccountKey", "containerName"),
            )
        },
    },
    "remote": {
        "remoteConfig.reuse": "trainingService.reuseMode",
        **{f"machineList.1.{key}": f"trainingService.machineList.1.{name}" for key, name in MACHINE.items()},
    },
    "pai": {
        "trial.nniManagerNFSMountPath": "trainingService.localStorageMountPoint",
        "trial.containerNFSMountPath": "trainingService.containerStorageMountPoint",
        "trial.cpuNum": "trainingService.trialCpuNumber",
        "trial.memoryMB": "trainingService.trialMemorySize",
        "trial.image": "trainingService.dockerImage",
        "trial.virtualCluster": "trainingService.virtualCluster",
        "trial.paiStorageConfigName": "trainingService.storageConfigName",
        "trial.paiConfigPath": "trainingService.openpaiConfigFile",
        "paiConfig.userName": "trainingService.username",
        "paiConfig.passWord": None,
        "paiConfig.token": "trainingService.token",
        "paiConfig.host": "trainingService.host",
        "paiConfig.reuse": "trainingService.reuseMode",
        "paiConfig.gpuNum": "trainingService.trialGpuNumber",
        "paiConfig.cpuNum": "trainingService.trialCpuNumber",
        "paiConfig.memoryMB": "trainingService.trialMemorySize",
        "paiConfig.maxTrialNumPerGpu": None,
        "paiConfig.useActiveGpu": None,
    },
    "aml": {
        "trial.image": "trainingService.dockerImage",
        "amlConfig.subscriptionId": "trainingService.subscriptionId",
        "amlConfig.resourceGroup": "trainingService.resourceGroup",
        "amlConfig.workspaceName": "trainingService.workspaceName",
        "amlConfig.computeTarget": "trainingService.computeTarget",
        "amlConfig.maxTrialNumPerGpu": "trainingService.maxTrialNumberPerGpu",
        "amlConfig.useActiveGpu": None,
    },
    "kubeflow": {
        "kubeflowConfig.operator": "trainingService.operator",
        "kubeflowConfig.apiVersion": "trainingService.apiVersion",
        **{f"kubeflowConfig.{key}": target for key, target in STORAGE.items()},
        **{
            f"trial.{role}.{key}": name and f"trainingService.{role}.{name}"
            for role in ("worker", "ps", "master")
            for key, name in {**ROLE, "replicas": "replicas"}.items()
        },
    },
    "frameworkcontroller": {
        "frameworkcontrollerConfig.serviceAccountName": "trainingService.serviceAccountName",
        "frameworkcontrollerConfig.configPath": None,
        "frameworkcontrollerConfig.pvc.path": None,
        **{f"frameworkcontrollerConfig.{key}": target for key, target in STORAGE.items()},
        **{
            f"trial.taskRoles.0.{key}": name and f"trainingService.taskRoles.0.{name}"
            for key, name in {**ROLE, "name": "name", "taskNum": "taskNumber"}.items()
        },
        **{
            f"trial.taskRoles.0.{policy}.{key}": POLICY + name
            for policy in ("frameworkAttemptCompletionPolicy", "frameworkControllerCompletionPolicy")
            for key, name in {
                "minFailedTaskCount": "minFailedTaskCount",
                "minSucceededTaskCount": "minSucceedTaskCount",
            }.items()
        },
    },
}
CASES = [(platform, key, target) for platform, keys in EXPECTED.items() for key, target in keys.items()]


def form_of(form: dict[str, Any]) -> Conversion:
    return converted(YamlDocument(form, Origin("exp.yml", {(): 1}, {(): ()})))


def nested(path: str, value: Any) -> dict[str, Any]:
    for step in reversed(path.split(".")):
        value = [{} for _ in range(int(step))] + [value] if step.isdigit() else {step: value}
    return value


def leaves(value: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = {
        key: leaf for name, element in items for key, leaf in leaves(element, (*path, str(name))).items()
    }
    return below or {".".join(path): value}


def test_every_rule_is_in_the_documentation() -> None:
    text = (Path(__file__).parents[3] / "docs" / "migrating.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    for rules in (COMMON, *OF_PLATFORM.values()):
        for path, rule in rules.items():
            if isinstance(rule, Section):
                continue
            target = getattr(rule, "target", "").replace("@", "trainingService").replace(".*", "[]")
            said = rule.reason if isinstance(rule, Dropped) else f"`{target}`"
            start = f"| `{path.replace('.*', '[]')}` | "
            assert any(line.startswith(start) and line.endswith(f"{said} |") for line in lines), path


def test_every_key_is_in_the_table_of_this_test() -> None:
    listed = {key.replace(".0.", ".*.").replace(".1.", ".*.") for _, key, _ in CASES}
    others = {f"{kind}.classFileName" for kind in ("tuner", "assessor", "advisor")}
    others |= {"trainingServicePlatform", "hybridConfig.trainingServicePlatforms"}
    known = {".".join(key.path) for key in known_keys().values() if key.shape == "value"}
    assert known - {"machineList.*", "trial.taskRoles.*"} == listed | others


@pytest.mark.parametrize(("platform", "key", "target"), CASES)
def test_a_key_is_moved_or_named_in_a_note(platform: str, key: str, target: str | None) -> None:
    value = False if key == "multiPhase" else True if key == "useAnnotation" else {"a": 1.5}
    if "classArgs" not in key and value == {"a": 1.5}:
        value = 3
    conversion = form_of({"trainingServicePlatform": platform, **nested(key, value)})
    assert conversion.document.problems == []
    found = leaves(conversion.document.value)
    assert found.pop("trainingService.platform") == PLATFORMS[platform]
    if target is None:
        assert [note.shown_path.replace("[", ".").replace("]", "") for note in conversion.notes] == [key]
        assert conversion.notes[0].message
        assert not [leaf for leaf in found.values() if leaf not in ({}, [])]
    elif "classArgs" in key:
        assert found[f"{target}.a"] == 1.5
    else:
        assert found[target] == value


def test_false_annotations_are_not_worth_a_word() -> None:
    conversion = form_of({"trainingServicePlatform": "local", "useAnnotation": False})
    assert conversion.document.value == {"trainingService": {"platform": "local"}}
    assert conversion.notes == []


def test_null_is_not_set() -> None:
    form = {
        "trainingServicePlatform": "local",
        "trial": None,
        "maxTrialNum": None,
        "tuner": {"codeDir": None},
    }
    conversion = form_of(form)
    assert conversion.document.value == {"tuner": {}, "trainingService": {"platform": "local"}}
    assert (conversion.notes, conversion.document.problems) == ([], [])


@pytest.mark.parametrize("platform", EXPECTED)
def test_the_hybrid_form_is_a_list(platform: str) -> None:
    keys = {key: target for key, target in EXPECTED[platform].items() if target is not None}
    for key, target in keys.items():
        form = {
            "trainingServicePlatform": "hybrid",
            "hybridConfig": {"trainingServicePlatforms": ["aml", platform]},
        }
        value = leaves(form_of({**form, **nested(key, True)}).document.value)
        assert value["trainingService.1.platform"] == PLATFORMS[platform]
        assert value[target.replace("trainingService", "trainingService.1")] is True, key


DIFFERENCES = {
    "local with every common key": {"maxTrialDuration": "NNI loses it"},
    "local with a GPU and nothing said of other programs": {
        "trainingService.useActiveGpu": "NNI's V2 form refuses the file without it"
    },
    "own tuner in a folder": {"tuner.className": "no module is called tuners/mine"},
    "remote with a key": {
        "trainingService.machineList.1.passphrase": "NNI's V2 form has no such field",
        "trainingService.machineList.1.sshPassphrase": "NNI's V2 form calls it so",
    },
    "kubeflow on Azure with reuse and namespace": {
        "trainingService.reuseMode": "NNI loses it",
        "trainingService.namespace": "NNI loses it",
    },
    "frameworkcontroller on NFS": {"trialCommand": "nothing runs it: each role has its own"},
    "frameworkcontroller on Azure": {
        "trialCommand": "nothing runs it: each role has its own",
        "trainingService.namespace": "NNI loses it",
    },
}
"""In which fields ours is not NNI's, with the reason."""

NNI_FAILS = {"frameworkcontroller with the policy's other name", "hybrid"}


@pytest.mark.parametrize("name", RECORDED)
def test_the_same_as_nni_makes_of_it(name: str) -> None:
    case = RECORDED[name]
    conversion = form_of(case["v1"])
    assert conversion.document.problems == []
    if name in NNI_FAILS:
        assert "error" in case["nni"]
        return
    theirs, ours = leaves(case["nni"]["v2"]), leaves(conversion.document.value)
    # False is the default: ours does not write it.
    assert theirs.pop("useAnnotation") is False
    different = {key for key in {*theirs, *ours} if theirs.get(key) != ours.get(key)}
    assert different == DIFFERENCES.get(name, {}).keys()
