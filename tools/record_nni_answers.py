"""Records the canonical form that NNI 3.0 gives to many generated configurations, for a test.

    python3.10 -m venv nni30 && nni30/bin/pip install nni==3.0
    .venv/bin/python tools/record_nni_answers.py --nni nni30/bin/python

It writes packages/nni-config/tests/data/nni_3_0_configurations.json. The configurations are always the same.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

ANSWERS = Path(__file__).parent.parent / "packages/nni-config/tests/data/nni_3_0_configurations.json"
HOME = "/no-such-home"
"""The home folder while NNI answers: what lies below it is no one's."""

IN_NNI = """
import json, logging, pathlib, sys, tempfile, warnings
warnings.simplefilter("ignore")
from nni.experiment.config import ExperimentConfig
logging.disable(logging.CRITICAL)
answers = []
path = pathlib.Path(tempfile.mkdtemp(), "exp.yml")
for case in json.load(sys.stdin):
    path.write_text(json.dumps(case))
    try:
        answers.append(ExperimentConfig.load(path).json())
    except Exception as error:
        answers.append(f"{type(error).__name__}: {error}")
print("ANSWERS" + json.dumps(answers))
"""

SPACES: list[Any] = [
    {"x": {"_type": "uniform", "_value": [0, 1]}},
    {
        "lr": {"_type": "loguniform", "_value": [0.0001, 0.1]},
        "batch": {"_type": "choice", "_value": [16, 32]},
    },
    {
        "layer": {
            "_type": "choice",
            "_value": [{"_name": "a"}, {"_name": "b", "k": {"_type": "randint", "_value": [1, 9]}}],
        }
    },
    {"\u53c2\u6570": {"_type": "quniform", "_value": [1, 9, 2]}},
]
EXPERIMENT: dict[str, list[Any]] = {
    "experimentName": ["example", "\u00e9\u00e8"],
    "trialGpuNumber": [0, 1, 2],
    "maxExperimentDuration": ["1h", "1.5h", "90m", "2d"],
    "maxTrialNumber": [1, 1000],
    "maxTrialDuration": ["30s", "1D"],
    "nniManagerIp": ["10.0.0.1", "manager.example.com"],
    "useAnnotation": [False],
    "debug": [True, False],
    "logLevel": ["fatal", "error", "warning", "info", "debug", "trace"],
    "experimentWorkingDirectory": ["/", "~/experiments", "/no/such/folder/../other"],
    "tunerGpuIndices": [0, "0,1", [2, 3]],
    "assessor": [{"className": "a.B", "codeDirectory": "/"}],
    "sharedStorage": [
        {
            "storageType": "NFS",
            "localMountPoint": "/",
            "remoteMountPoint": "/mnt",
            "localMounted": "usermount",
            "nfsServer": "10.0.0.2",
            "exportedDirectory": "/export",
        },
        {
            "storageType": "AzureBlob",
            "localMountPoint": "~/blob",
            "remoteMountPoint": "/mnt",
            "localMounted": "nnimount",
            "storageAccountName": "account",
            "storageAccountKey": "key",
            "containerName": "container",
        },
    ],
}
TUNERS: list[Any] = [
    {"name": "TPE"},
    {"name": "random", "classArgs": {"seed": 1}},
    {"name": "GridSearch", "class_args": {}},
    {"className": "a.B", "codeDirectory": "/", "classArgs": {"a": [1, {"b": None}]}},
    {"class_name": "a.b.C", "CODE_DIRECTORY": "/"},
]
ROLE = {"replicas": 1, "command": "a", "cpuNumber": 1, "memorySize": "1gb", "codeDirectory": "code"}
TASK = {
    "name": "w",
    "taskNumber": 1,
    "command": "a",
    "gpuNumber": 0,
    "cpuNumber": 1,
    "memorySize": 1024,
    "frameworkAttemptCompletionPolicy": {"minFailedTaskCount": 1, "minSucceedTaskCount": -1},
}
NFS = {"storageType": "nfs", "server": "10.0.0.1", "path": "/export"}
AZURE = {
    "storageType": "azureStorage",
    "azureAccount": "a",
    "azureShare": "s",
    "keyVaultName": "v",
    "keyVaultKey": "k",
}
MACHINE = {"host": "10.0.0.1", "user": "u"}
SERVICES: dict[str, tuple[dict[str, list[Any]], dict[str, list[Any]]]] = {
    "local": (
        {"useActiveGpu": [True, False]},
        {"gpuIndices": ["0", 1, [0, 1]], "reuseMode": [True, False], "max_trial_number_per_gpu": [1]},
    ),
    "remote": (
        {
            "machineList": [
                [{**MACHINE, "password": "p"}],
                [{**MACHINE, "sshKeyFile": "/etc/passwd", "port": 2222, "useActiveGpu": True}],
                [
                    {**MACHINE, "password": "p", "gpuIndices": "1,2", "pythonPath": "~/bin"},
                    {**MACHINE, "password": "q"},
                ],
                [{**MACHINE, "sshKeyFile": "/etc/passwd", "sshPassphrase": "s"}],
            ]
        },
        {"reuseMode": [True, False]},
    ),
    "openpai": (
        {
            "host": ["pai.example.com", "http://pai.example.com", "https://pai"],
            "username": ["u"],
            "token": ["t"],
            "trialCpuNumber": [1],
            "trialGpuNumber": [0, 1],
            "trialMemorySize": ["8gb", 512, "0.5 tb"],
            "storageConfigName": ["s"],
            "virtualCluster": ["default", None],
            "localStorageMountPoint": ["/"],
            "containerStorageMountPoint": ["/mnt"],
        },
        {"dockerImage": ["image"], "reuseMode": [False], "openpaiConfig": [{"a": {"b": [1]}}]},
    ),
    "aml": (
        {"subscriptionId": ["i"], "resourceGroup": ["g"], "workspaceName": ["w"], "computeTarget": ["t"]},
        {"dockerImage": ["image"], "maxTrialNumberPerGpu": [1]},
    ),
    "dlc": (
        {
            "image": ["i"],
            "podCount": [1],
            "ecsSpec": ["ecs.c6.large"],
            "region": ["r"],
            "workspaceId": ["w"],
            "nasDataSourceId": ["n"],
            "accessKeyId": ["k"],
            "accessKeySecret": ["s"],
            "localStorageMountPoint": ["relative/folder"],
            "containerStorageMountPoint": ["/mnt"],
        },
        {"type": ["Chief"], "jobType": ["PyTorchJob"], "ossDataSourceId": ["o"]},
    ),
    "kubeflow": (
        {"operator": ["tf-operator", "pytorch-operator"], "apiVersion": ["v1"], "storage": [NFS, AZURE]},
        {
            "worker": [ROLE],
            "ps": [{**ROLE, "gpuNumber": 1}],
            "master": [ROLE],
            "namespace": ["n"],
            "reuseMode": [False],
        },
    ),
    "frameworkcontroller": (
        {"storage": [NFS, AZURE], "serviceAccountName": ["account"], "taskRoles": [[TASK]]},
        {"namespace": ["n"], "reuseMode": [False]},
    ),
}
"""For each platform the values of the fields that it needs, and of those that it may have."""


def cases(count: int = 210) -> list[dict[str, Any]]:
    """Returns the configurations, as files would hold them."""
    chance = random.Random(3)
    return [_case(chance, list(SERVICES)[number % len(SERVICES)]) for number in range(count)]


def _case(chance: random.Random, platform: str) -> dict[str, Any]:
    needed, more = SERVICES[platform]
    service = {"platform": platform, **_some(chance, needed, 1), **_some(chance, more, 0.4)}
    common: dict[str, list[Any]] = {
        "trialCommand": ["b"],
        "trialCodeDirectory": ["/etc"],
        "trialGpuNumber": [0, 1],
        "debug": [True],
    }
    service |= {key: value for key, value in _some(chance, common, 0.15).items() if key not in service}
    return {
        "searchSpace": chance.choice(SPACES),
        "trialCommand": "python3 trial.py && true",
        "trialCodeDirectory": "/",
        chance.choice(["trialConcurrency", "trial_concurrency", "TRIALconcurrency"]): chance.randint(1, 99),
        **_some(chance, EXPERIMENT, 0.25),
        "tuner": chance.choice(TUNERS),
        "trainingService": service,
    }


def _some(chance: random.Random, fields: dict[str, list[Any]], probability: float) -> dict[str, Any]:
    return {key: chance.choice(values) for key, values in fields.items() if chance.random() < probability}


def answers_of(python: str, given: list[dict[str, Any]]) -> list[Any]:
    """Returns what NNI makes of configurations: the canonical form of each, or the text of an error."""
    finished = subprocess.run(
        [python, "-c", IN_NNI],
        input=json.dumps(given),
        env={"HOME": HOME, "PATH": "/usr/bin:/bin", "NNI_CONFIG_DIR": str(Path(python).absolute().parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        raise SystemExit(f"NNI failed:\n{finished.stderr}")
    return list(json.loads(finished.stdout.partition("ANSWERS")[2]))


def main() -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nni", required=True, help="a Python that has NNI 3.0")
    python = parser.parse_args().nni
    given = cases()
    answers = answers_of(python, given)
    lines = [
        json.dumps({"given": case, "answer": answer}) for case, answer in zip(given, answers, strict=True)
    ]
    ANSWERS.parent.mkdir(exist_ok=True)
    ANSWERS.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    refused = sum(isinstance(answer, str) for answer in answers)
    print(f"{len(answers)} configurations, {refused} of them refused by NNI: {ANSWERS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
