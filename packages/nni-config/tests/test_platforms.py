"""Every place where trials may run: its fields, defaults and rules (compat.md 2.4)."""

import copy
from pathlib import Path
from typing import Any

import nni_config
import pytest
from nni_config import ExperimentConfig, InvalidConfigError, LocalConfig, start_problems

SECRET = "sesame-7143"
IMAGE = "msranni/nni:latest"

NNI_NAMES = """
ExperimentConfig AlgorithmConfig CustomAlgorithmConfig LocalConfig RemoteConfig RemoteMachineConfig
OpenpaiConfig AmlConfig DlcConfig KubeflowConfig KubeflowRoleConfig FrameworkControllerConfig
FrameworkControllerRoleConfig FrameworkAttemptCompletionPolicy NfsConfig AzureBlobConfig
K8sStorageConfig K8sNfsConfig K8sAzureStorageConfig
"""

ROLE = {"replicas": 1, "command": "python3 a.py", "cpuNumber": 1, "memorySize": 1024, "codeDirectory": "code"}
TASK_ROLE = {
    "name": "worker",
    "taskNumber": 1,
    "command": "python3 a.py",
    "gpuNumber": 0,
    "cpuNumber": 1,
    "memorySize": "8gb",
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

SERVICES: dict[str, dict[str, Any]] = {
    "local": {"platform": "local"},
    "remote": {"platform": "remote", "machineList": [{"host": "a", "user": "u", "password": SECRET}]},
    "openpai": {
        "platform": "openpai",
        "host": "pai.example.com",
        "username": "u",
        "token": SECRET,
        "trialCpuNumber": 1,
        "trialGpuNumber": 0,
        "trialMemorySize": "8gb",
        "storageConfigName": "s",
        "localStorageMountPoint": "/",
        "containerStorageMountPoint": "/mnt",
    },
    "aml": {
        "platform": "aml",
        "subscriptionId": "i",
        "resourceGroup": "g",
        "workspaceName": "w",
        "computeTarget": "t",
    },
    "dlc": {
        "platform": "dlc",
        "image": "i",
        "podCount": 1,
        "ecsSpec": "ecs.c6.large",
        "region": "cn-hangzhou",
        "workspaceId": 12345,
        "nasDataSourceId": "n",
        "accessKeyId": "k",
        "accessKeySecret": SECRET,
        "localStorageMountPoint": "/mnt/local",
        "containerStorageMountPoint": "/mnt",
    },
    "kubeflow": {
        "platform": "kubeflow",
        "operator": "tf-operator",
        "apiVersion": "v1",
        "storage": NFS,
        "worker": ROLE,
    },
    "frameworkcontroller": {
        "platform": "frameworkcontroller",
        "storage": AZURE,
        "serviceAccountName": "account",
        "taskRoles": [TASK_ROLE],
    },
}
"""The least that each platform needs, beside the command."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "local": {"maxTrialNumberPerGpu": 1, "reuseMode": False},
    "remote": {
        "machineList": [
            {"host": "a", "port": 22, "user": "u", "useActiveGpu": False, "maxTrialNumberPerGpu": 1}
        ],
        "reuseMode": False,
    },
    "openpai": {"host": "https://pai.example.com", "dockerImage": IMAGE, "reuseMode": True},
    "aml": {"dockerImage": IMAGE, "maxTrialNumberPerGpu": 1},
    "dlc": {"type": "Worker", "jobType": "TFJob", "workspaceId": "12345"},
    "kubeflow": {
        "worker": {**ROLE, "gpuNumber": 0, "dockerImage": IMAGE},
        "reuseMode": True,
        "namespace": "default",
    },
    "frameworkcontroller": {
        "taskRoles": [{**TASK_ROLE, "dockerImage": IMAGE}],
        "reuseMode": True,
        "namespace": "default",
    },
}
"""What the canonical form has that was not written, or is written in another way there."""

SECRET_KEYS = {"openpai": "token", "dlc": "accessKeySecret"}


def experiment(code_directory: Path, service: Any, **fields: Any) -> ExperimentConfig:
    complete = {
        "search_space": {"x": {"_type": "uniform", "_value": [0, 1]}},
        "trial_command": "a",
        "trial_code_directory": code_directory,
        "trial_concurrency": 1,
        "tuner": {"name": "TPE"},
        "training_service": service,
    }
    return ExperimentConfig(**complete | fields)


def changed(service: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Returns the service with the value at a path replaced, or left out where the value is `...`."""
    result = part = copy.deepcopy(service)
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in steps:
        part = part[step]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    return result


def problems_of(config: ExperimentConfig) -> dict[str, str]:
    with pytest.raises(InvalidConfigError) as error:
        config.validate()
    return {nni_config.names.path_text(problem.path): problem.message for problem in error.value.problems}


def problems_of_service(code_directory: Path, service: dict[str, Any], **fields: Any) -> dict[str, str]:
    """Returns what is wrong with a service, whenever it is found."""
    try:
        config = experiment(code_directory, service, **fields)
    except InvalidConfigError as error:
        assert SECRET not in str(error)
        return {nni_config.names.path_text(problem.path): problem.message for problem in error.problems}
    return problems_of(config)


@pytest.mark.parametrize("name", NNI_NAMES.split())
def test_c5_every_class_of_nni_is_there_and_can_be_built_empty(name: str) -> None:
    config = getattr(nni_config, name)()
    assert isinstance(config, nni_config.ConfigBase)
    assert name in nni_config.__all__
    assert config == copy.deepcopy(config)


@pytest.mark.parametrize("platform", SERVICES)
def test_the_least_that_a_platform_needs(code_directory: Path, platform: str) -> None:
    service = SERVICES[platform]
    written = experiment(code_directory, service).json()["trainingService"]
    expected = {
        **service,
        "trialCommand": "" if platform == "none" else "a",
        "trialCodeDirectory": str(code_directory.resolve()),
        "debug": False,
        **DEFAULTS[platform],
    }
    expected.pop(SECRET_KEYS.get(platform, ""), None)
    assert written == expected


@pytest.mark.parametrize("platform", SERVICES)
def test_the_template_of_a_platform_is_filled_in_any_order(code_directory: Path, platform: str) -> None:
    config = ExperimentConfig(platform)
    config.trial_concurrency = 1
    config.tuner.name = "TPE"
    config.search_space = {"x": {"_type": "uniform", "_value": [0, 1]}}
    config.trial_code_directory = code_directory
    config.trial_command = "a"
    fields = {nni_config.names.comparable(name): name for name in type(config.training_service).model_fields}
    for key, value in reversed(SERVICES[platform].items()):
        setattr(config.training_service, fields[key.lower()], value)
    assert config.json() == {
        **experiment(code_directory, SERVICES[platform]).json(),
        "tuner": {"name": "TPE", "classArgs": {}},
    }


@pytest.mark.parametrize("platform", [name for name in SERVICES if name not in ("local",)])
def test_every_field_that_a_platform_needs_is_named_when_it_is_missing(
    code_directory: Path, platform: str
) -> None:
    for key in SERVICES[platform].keys() - {"platform", "worker", "serviceAccountName"}:
        found = problems_of_service(code_directory, changed(SERVICES[platform], key, ...))
        (path,) = found
        assert path.replace("_", "").lower() == f"trainingservice.{key.lower()}"
        assert "is not set" in found[path]


RULES: list[tuple[str, str, Any, str, str]] = [
    # platform, what is changed, to what, where the problem is, a part of its text
    ("remote", "machineList", [], "machine_list", "must provide at least one machine"),
    ("remote", "machineList", {"host": "a", "password": SECRET}, "machine_list", "is not a list"),
    ("remote", "machineList", "a", "machine_list", "is not a list"),
    ("remote", "machineList.0", "a", "machine_list[0]", "allowed is a RemoteMachineConfig"),
    ("remote", "machineList.0.host", ..., "machine_list[0].host", "is not set"),
    ("remote", "machineList.0.user", ..., "machine_list[0].user", "is not set"),
    ("remote", "machineList.0.user", " ", "machine_list[0].user", "is blank"),
    ("remote", "machineList.0.host", "", "machine_list[0].host", "is blank"),
    ("remote", "machineList.0.host", "ssh://a", "machine_list[0].host", "has a scheme"),
    ("remote", "machineList.0.host", "me@a", "machine_list[0].host", "has a user in it"),
    ("remote", "machineList.0.host", "a:22", "machine_list[0].host", "has a port in it"),
    ("remote", "machineList.0.host", "a b", "machine_list[0].host", "is not the name of a machine"),
    ("remote", "machineList.0.host", "10.0.0.256", "machine_list[0].host", "is not an IP address"),
    ("remote", "machineList.0.host", "${HOST}", "machine_list[0].host", "placeholder"),
    ("remote", "machineList.0.port", 0, "machine_list[0].port", "from 1"),
    ("remote", "machineList.0.port", 65536, "machine_list[0].port", "up to 65535"),
    ("remote", "machineList.0.port", "22", "machine_list[0].port", "whole number"),
    ("remote", "machineList.0.port", "${PORT}", "machine_list[0].port", "placeholder"),
    ("remote", "machineList.0.password", [SECRET], "machine_list[0].password", "is not text"),
    ("remote", "machineList.0.password", {"a": SECRET}, "machine_list[0].password", "is not text"),
    ("remote", "machineList.0.password", f"{SECRET}\0", "machine_list[0].password", "null character"),
    ("remote", "machineList.0.password", "", "machine_list[0].password", "is blank"),
    ("remote", "machineList.0.password", "${PASSWORD}", "machine_list[0].password", "placeholder"),
    ("remote", "machineList.0.trialConcurrency", 0, "machine_list[0].trial_concurrency", "above 0"),
    ("remote", "connectTimeout", "soon", "connect_timeout", "not a duration"),
    ("remote", "newHostKeys", "ask", "new_host_keys", "'accept' or 'refuse'"),
    ("remote", "outsideLinks", "follow", "outside_links", "'copy' or 'refuse'"),
    ("remote", "maxCodeSize", 0, "max_code_size", "not above 0"),
    ("remote", "outputFiles", [1], "output_files", "list of texts"),
    ("remote", "outputFiles", [" "], "output_files", "list of texts"),
    ("remote", "machineList.0.gpuIndices", "0,0", "machine_list[0].gpu_indices", "Duplication"),
    ("remote", "machineList.0.gpuIndices", -1, "machine_list[0].gpu_indices", "Negative"),
    ("remote", "machineList.0.useActiveGpu", "maybe", "machine_list[0].use_active_gpu", "true or false"),
    ("remote", "machineList.0.maxTrialNumberPerGpu", 0, "machine_list[0].max_trial_number_per_gpu", "above"),
    (
        "remote",
        "machineList.0.maxTrialNumberPerGpu",
        2,
        "machine_list[0].max_trial_number_per_gpu",
        "without",
    ),
    ("remote", "machineList.0.passwd", SECRET, "machine_list[0].passwd", "did you mean password?"),
    ("remote", "reuseMode", "maybe", "reuse_mode", "true or false"),
    ("remote", "useActiveGpu", True, "useActiveGpu", "it is a field of LocalConfig"),
    ("local", "machineList", [], "machineList", "it is a field of RemoteConfig"),
    ("local", "password", SECRET, "password", "did you mean training_service.machine_list[0].password?"),
    ("openpai", "host", "ftp://pai", "host", "another scheme"),
    ("openpai", "host", "https://", "host", "is blank"),
    ("openpai", "token", 5, "", ""),
    ("openpai", "trialCpuNumber", 0, "trial_cpu_number", "above 0"),
    ("openpai", "trialCpuNumber", 1.5, "trial_cpu_number", "whole number"),
    ("openpai", "trialGpuNumber", -1, "trial_gpu_number", "from 0"),
    ("openpai", "trialMemorySize", "8 gigabytes", "trial_memory_size", "Bad unit"),
    ("openpai", "trialMemorySize", "8", "trial_memory_size", "Bad unit"),
    ("openpai", "trialMemorySize", "gb", "trial_memory_size", "no number"),
    ("openpai", "trialMemorySize", "0gb", "trial_memory_size", "not above 0"),
    ("openpai", "trialMemorySize", -5, "trial_memory_size", "not above 0"),
    ("openpai", "trialMemorySize", True, "trial_memory_size", "not a size"),
    ("openpai", "localStorageMountPoint", "/no/such", "local_storage_mount_point", "not a directory"),
    ("openpai", "openpaiConfigFile", "/no/such", "openpai_config_file", "not a file"),
    ("openpai", "openpaiConfig", "text", "openpai_config", "not an object"),
    ("openpai", "dockerImage", " ", "docker_image", "is blank"),
    ("aml", "maxTrialNumberPerGpu", 2, "max_trial_number_per_gpu", "without trial_gpu_number"),
    ("aml", "computeTarget", "", "compute_target", "is blank"),
    ("aml", "environment", "torch", "environment", '"name:version" or "name@latest"'),
    ("aml", "environment", " ", "environment", "names no environment"),
    ("aml", "maxCodeSize", 0, "max_code_size", "not above 0"),
    ("aml", "reuseMode", "often", "reuse_mode", "not true"),
    ("aml", "studioMetrics", "often", "studio_metrics", "not true"),
    ("aml", "subscriptionId", "${id}", "subscription_id", "placeholder"),
    ("dlc", "podCount", 0, "pod_count", "above 0"),
    ("dlc", "region", "", "region", "is blank"),
    ("kubeflow", "operator", "mpi-operator", "operator", "'tf-operator' or 'pytorch-operator'"),
    ("kubeflow", "storage", {**NFS, "storageType": "hdfs"}, "storage.storage_type", "azureStorage"),
    ("kubeflow", "storage", {"server": "a", "path": "/"}, "storage.storage_type", "is not set"),
    ("kubeflow", "storage.path", ..., "storage.path", "needs it"),
    ("kubeflow", "storage.azureShare", "s", "storage.azure_share", "the type here is nfs"),
    ("kubeflow", "worker.replicas", 0, "worker.replicas", "above 0"),
    ("kubeflow", "worker.memorySize", "1 xb", "worker.memory_size", "no number"),
    ("kubeflow", "worker.command", ..., "worker.command", "is not set"),
    ("kubeflow", "worker", [], "worker", "allowed is a KubeflowRoleConfig"),
    ("frameworkcontroller", "taskRoles", [], "task_roles", "is empty"),
    ("frameworkcontroller", "taskRoles", [TASK_ROLE, TASK_ROLE], "task_roles[1].name", "another role"),
    ("frameworkcontroller", "taskRoles.0.taskNumber", 0, "task_roles[0].task_number", "above 0"),
    ("frameworkcontroller", "taskRoles.0.gpuNumber", ..., "task_roles[0].gpu_number", "is not set"),
    ("frameworkcontroller", "storage.keyVaultKey", ..., "storage.key_vault_key", "needs it"),
    ("frameworkcontroller", "storage.server", "a", "storage.server", "the type here is azureStorage"),
    (
        "frameworkcontroller",
        "taskRoles.0.frameworkAttemptCompletionPolicy.minFailedTaskCount",
        "1",
        "task_roles[0].framework_attempt_completion_policy.min_failed_task_count",
        "whole number",
    ),
]


@pytest.mark.parametrize(("platform", "path", "value", "where", "text"), [rule for rule in RULES if rule[3]])
def test_rules_of_platforms(
    code_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    path: str,
    value: Any,
    where: str,
    text: str,
) -> None:
    monkeypatch.setenv("HOME", str(code_directory))  # there is no key in it
    found = problems_of_service(code_directory, changed(SERVICES[platform], path, value))
    assert list(found) == [f"training_service.{where}"]
    assert text in found[f"training_service.{where}"]
    assert SECRET not in str(found)


@pytest.mark.parametrize("host", ["a", "gpu-1.example.com", "10.0.0.1", "::1", "gpu_1", "bücher.example"])
def test_names_and_addresses_of_machines(code_directory: Path, host: str) -> None:
    service = changed(SERVICES["remote"], "machineList.0.host", host)
    experiment(code_directory, service).validate()
    experiment(code_directory, service, nni_manager_ip=host).validate()


@pytest.mark.parametrize("address", ["", "http://10.0.0.1", "10.0.0.1:8080", "my machine"])
def test_the_manager_s_address_is_an_address(code_directory: Path, address: str) -> None:
    assert "nni_manager_ip" in problems_of(
        experiment(code_directory, SERVICES["aml"], nni_manager_ip=address)
    )


def test_the_key_of_a_machine(code_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    key = tmp_path / ".ssh" / "id_rsa"
    service = changed(SERVICES["remote"], "machineList.0.password", ...)
    named = changed(service, "machineList.0.sshKeyFile", "~/.ssh/id_ed25519")
    assert 'id_ed25519" is not a file' in str(problems_of_service(code_directory, named))
    key.parent.mkdir()
    key.write_text("key")
    (machine,) = experiment(code_directory, service).json()["trainingService"]["machineList"]
    assert machine["sshKeyFile"] == str(key.resolve())
    config = experiment(code_directory, changed(service, "machineList.0.sshKeyFile", "~/.ssh/id_rsa.pub"))
    assert "is a public key" in problems_of(config)["training_service.machine_list[0].ssh_key_file"]


def test_a_password_wins_over_a_key(code_directory: Path) -> None:
    machine = {"host": "a", "user": "u", "password": SECRET, "sshKeyFile": "/no/such"}
    config = experiment(code_directory, {"platform": "remote", "machineList": [machine]})
    assert "sshKeyFile" not in config.json()["trainingService"]["machineList"][0]


def test_c2_a_password_of_digits_keeps_its_zero(tmp_path: Path) -> None:
    path = tmp_path / "exp.yml"
    path.write_text("{platform: remote, machineList: [{host: 10.0.0.1, user: 007, password: 012345}]}\n")
    (machine,) = nni_config.RemoteConfig.load(path).machine_list
    assert (machine.user, machine.password) == ("007", "012345")


def test_secrets_are_not_shown(code_directory: Path) -> None:
    for platform in ("remote", "openpai", "dlc"):
        config = experiment(code_directory, SERVICES[platform])
        canonical = config.canonical_copy()
        for shown in (repr(config), str(config), repr(canonical), str(canonical.json()), repr(vars(config))):
            assert SECRET not in shown
        assert SECRET in str(canonical.json(secrets=True))
        assert ExperimentConfig(**canonical.json(secrets=True)).json(secrets=True) == canonical.json(
            secrets=True
        )
    storage = nni_config.AzureBlobConfig(storage_account_key=SECRET)
    assert SECRET not in repr(storage)
    assert storage.storage_account_key == SECRET


def test_gpus_of_machines_are_shared_with_a_number_of_gpus_only(code_directory: Path) -> None:
    service = changed(SERVICES["remote"], "machineList.0.maxTrialNumberPerGpu", 2)
    experiment(code_directory, service, trial_gpu_number=1).validate()


def test_openpai_takes_one_of_two_further_settings(code_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "pai.yml").write_text("a: 1\n")
    service = {**SERVICES["openpai"], "openpaiConfigFile": str(tmp_path / "pai.yml")}
    assert experiment(code_directory, service).json()["trainingService"]["openpaiConfigFile"]
    both = {**service, "openpaiConfig": {"a": 1}}
    assert (
        "allowed is one" in problems_of_service(code_directory, both)["training_service.openpai_config_file"]
    )


def test_openpai_needs_a_number_of_gpus_anywhere(code_directory: Path) -> None:
    service = changed(SERVICES["openpai"], "trialGpuNumber", ...)
    assert list(problems_of_service(code_directory, service)) == ["training_service.trial_gpu_number"]
    experiment(code_directory, service, trial_gpu_number=2).validate()


def test_azure_ml_takes_an_image_or_an_environment(code_directory: Path) -> None:
    service = {**SERVICES["aml"], "environment": "torch:3"}
    assert experiment(code_directory, service).training_service.environment == "torch:3"
    both = {**service, "dockerImage": "mine"}
    assert "allowed is one" in problems_of_service(code_directory, both)["training_service.environment"]


def test_azure_ml_shares_gpus_in_jobs_that_are_kept(code_directory: Path) -> None:
    service = {**SERVICES["aml"], "trialGpuNumber": 1, "maxTrialNumberPerGpu": 2}
    assert experiment(code_directory, service).training_service.reuse_mode is None
    problems = problems_of_service(code_directory, {**service, "reuseMode": False})
    assert "reuse_mode: true" in problems["training_service.max_trial_number_per_gpu"]


def test_roles_have_commands_of_their_own(code_directory: Path) -> None:
    for platform in ("kubeflow", "frameworkcontroller"):
        config = experiment(code_directory, SERVICES[platform], trial_command=None)
        assert config.json()["trainingService"]["trialCommand"] == ""


def test_the_classes_of_storage_on_kubernetes(code_directory: Path) -> None:
    for storage in (
        nni_config.K8sNfsConfig(server="a", path="/b"),
        nni_config.K8sAzureStorageConfig(
            azure_account="a", azure_share="s", key_vault_name="v", key_vault_key="k"
        ),
    ):
        config = experiment(code_directory, SERVICES["kubeflow"])
        config.training_service.storage = storage
        written = config.json()["trainingService"]["storage"]
        assert written["storageType"] == written["storage"] == storage.storage
        # What is written can be read again, and so can a file that names the kind by this field alone.
        for read in (written, {name: value for name, value in written.items() if name != "storageType"}):
            config.training_service.storage = read
            assert config.canonical_copy().training_service.storage == storage


@pytest.mark.parametrize(
    ("storage", "where", "text"),
    [
        ({"storage": "hdfs", "server": "a", "path": "/b"}, "storage", '"azureStorage" and "nfs"'),
        ({"storage": ["nfs"], "server": "a", "path": "/b"}, "storage", '"azureStorage" and "nfs"'),
        ({**NFS, "storage": "azureStorage"}, "storage_type", "it is nfs and the storage is azureStorage"),
        ({**AZURE, "storage": "nfs"}, "storage_type", "it is azureStorage and the storage is nfs"),
        ({"storage": "nfs", "server": "a"}, "path", "a storage of the type nfs needs it"),
    ],
)
def test_the_kind_of_a_storage_on_kubernetes_by_its_other_name(
    code_directory: Path, storage: dict[str, Any], where: str, text: str
) -> None:
    found = problems_of_service(code_directory, {**SERVICES["kubeflow"], "storage": storage})
    assert list(found) == [f"training_service.storage.{where}"]
    assert text in found[f"training_service.storage.{where}"]


NFS_STORAGE = {
    "storageType": "NFS",
    "localMountPoint": "/",
    "remoteMountPoint": "/mnt",
    "localMounted": "usermount",
    "nfsServer": "10.0.0.1",
    "exportedDirectory": "/export",
}
BLOB_STORAGE = {
    "storageType": "AzureBlob",
    "localMountPoint": "/no/such/yet",
    "remoteMountPoint": "/mnt",
    "localMounted": "nnimount",
    "storageAccountName": "a",
    "storageAccountKey": SECRET,
    "containerName": "c",
}
NOT_MOUNTED = {**NFS_STORAGE, "localMountPoint": "/no/such", "localMounted": "nomount"}


@pytest.mark.parametrize("storage", [NFS_STORAGE, BLOB_STORAGE, NOT_MOUNTED])
def test_shared_storage(code_directory: Path, storage: dict[str, Any]) -> None:
    config = experiment(code_directory, {"platform": "local"}, shared_storage=storage)
    assert type(config.shared_storage) in (nni_config.NfsConfig, nni_config.AzureBlobConfig)
    assert config.json()["sharedStorage"] == {k: v for k, v in storage.items() if v != SECRET}
    assert config.json(secrets=True)["sharedStorage"] == storage


@pytest.mark.parametrize(
    ("storage", "path", "value", "where", "text"),
    [
        (NFS_STORAGE, "storageType", "nfs", "storage_type", '"NFS" and "AzureBlob"'),
        (NFS_STORAGE, "storageType", ..., "storage_type", "is not set"),
        (NFS_STORAGE, "nfsServer", ..., "nfs_server", "needs it"),
        (NFS_STORAGE, "nfsServer", "nfs://a", "nfs_server", "has a scheme"),
        (NFS_STORAGE, "exportedDirectory", "", "exported_directory", "is blank"),
        (NFS_STORAGE, "containerName", "c", "container_name", "the type here is NFS"),
        (NFS_STORAGE, "localMounted", "unmount", "local_mounted", "'usermount', 'nnimount' or 'nomount'"),
        (NFS_STORAGE, "localMounted", ..., "local_mounted", "is not set"),
        (NFS_STORAGE, "localMountPoint", "/no/such", "local_mount_point", "is not a directory"),
        (NFS_STORAGE, "remoteMountPoint", ..., "remote_mount_point", "is not set"),
        (BLOB_STORAGE, "storageAccountName", ..., "storage_account_name", "needs it"),
        (BLOB_STORAGE, "nfsServer", "a", "nfs_server", "the type here is AzureBlob"),
        (BLOB_STORAGE, "containername_", 1.5, None, ""),
    ],
)
def test_rules_of_shared_storage(
    code_directory: Path, storage: dict[str, Any], path: str, value: Any, where: str | None, text: str
) -> None:
    service = {"platform": "local"}
    found = problems_of_service(code_directory, service, shared_storage=changed(storage, path, value))
    if where is None:
        assert "two spellings" in str(found)
        return
    assert list(found) == [f"shared_storage.{where}"]
    assert text in found[f"shared_storage.{where}"]


def test_hybrid(code_directory: Path) -> None:
    config = experiment(code_directory, [{"platform": "local"}, SERVICES["aml"]])
    # NNI needed nni_manager_ip here (compat.md 2.2 [R], 11.11).
    written = config.json()["trainingService"]
    assert [service["platform"] for service in written] == ["local", "aml"]
    assert all(service["trialCommand"] == "a" for service in written)
    template = ExperimentConfig(["local", "remote"])
    assert [type(service).__name__ for service in template.training_service] == [
        "LocalConfig",
        "RemoteConfig",
    ]
    config.training_service[1].compute_target = None
    assert list(problems_of(config)) == ["training_service[1].compute_target"]
    with pytest.raises(InvalidConfigError, match=r"training_service\[1\]\.platform: 'pai' is not a platform"):
        experiment(code_directory, [{"platform": "local"}, {"platform": "pai"}])


def test_a_machine_may_be_added_later(code_directory: Path) -> None:
    machines: list[Any] = []
    config = experiment(code_directory, nni_config.RemoteConfig(machine_list=machines))
    machines.append(nni_config.RemoteMachineConfig(host="a", user="u", password=SECRET))
    machines.append({"host": "b", "user": "u", "password": SECRET})
    config.training_service.machine_list[0].port = 2222
    written = config.json()["trainingService"]["machineList"]
    assert [(machine["host"], machine["port"]) for machine in written] == [("a", 2222), ("b", 22)]
    machines.append({"hosst": "c"})
    assert "did you mean host" in str(problems_of(config))


@pytest.mark.parametrize("platform", ["dlc", "kubeflow", "frameworkcontroller"])
def test_c5_starting_what_is_not_run_says_what_to_use(code_directory: Path, platform: str) -> None:
    config = experiment(code_directory, SERVICES[platform]).canonical_copy()
    (problem,) = start_problems(config)
    assert str(problem).startswith(
        f"training_service.platform: this version does not run trials on '{platform}'"
    )
    assert "platform: local" in problem.message


def test_c5_shared_storage_needs_other_machines(code_directory: Path) -> None:
    local = experiment(code_directory, {"platform": "local"}).canonical_copy()
    assert start_problems(local) == []
    local.shared_storage = NFS_STORAGE
    assert [problem.path for problem in start_problems(local)] == [("shared_storage",)]
    pai = experiment(code_directory, SERVICES["openpai"], shared_storage=NFS_STORAGE).canonical_copy()
    assert "storage_config_name names" in start_problems(pai)[0].message
    both = experiment(code_directory, [LocalConfig(), SERVICES["remote"]], shared_storage=NFS_STORAGE)
    assert start_problems(both.canonical_copy()) == []


def test_a_key_that_nobody_named_need_not_be_there(
    code_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent, or ~/.ssh/config, may have one; a key that is named has to exist."""
    monkeypatch.setenv("HOME", str(code_directory))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    service = changed(SERVICES["remote"], "machineList.0.password", ...)
    (found,) = problems_of_service(code_directory, service).items()
    assert found[0] == "training_service.machine_list[0].ssh_key_file"
    assert found[1].startswith("there is neither a password nor ~/.ssh/id_rsa, nor an SSH agent")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    canonical = experiment(code_directory, service).canonical_copy()
    assert canonical.training_service.machine_list[0].ssh_key_file is None
    named = changed(service, "machineList.0.sshKeyFile", "~/.ssh/mine")
    (found,) = problems_of_service(code_directory, named).values()
    assert "is not a file; allowed is a private key, or a password instead" in found
    key = code_directory / ".ssh" / "id_rsa"
    key.parent.mkdir()
    key.write_text("")
    canonical = experiment(code_directory, service).canonical_copy()
    assert canonical.training_service.machine_list[0].ssh_key_file == str(key)


@pytest.mark.parametrize("url", ["", "ftp://a", "https://", "https://a?sig=1", "a.blob.core.windows.net"])
def test_the_url_of_a_storage_account(code_directory: Path, url: str) -> None:
    storage = {**BLOB_STORAGE, "storageAccountUrl": url}
    assert "shared_storage.storage_account_url" in problems_of(
        experiment(code_directory, {"platform": "local"}, shared_storage=storage)
    )


def test_a_storage_account_has_one_secret(code_directory: Path) -> None:
    storage = {**BLOB_STORAGE, "storageSasToken": "sig"}
    assert "shared_storage.storage_sas_token" in problems_of(
        experiment(code_directory, {"platform": "local"}, shared_storage=storage)
    )


def test_c5_the_virtual_cluster_is_none_unless_set() -> None:
    assert nni_config.OpenpaiConfig().virtual_cluster is None
    assert nni_config.FrameworkControllerConfig().service_account_name is None


def test_c4_the_manager_s_address(code_directory: Path) -> None:
    def warnings(service: Any, **fields: Any) -> list[str]:
        return experiment(code_directory, service, **fields).canonical_copy().warnings()

    remote = SERVICES["remote"]
    assert warnings(remote) == []
    assert warnings(remote, nni_manager_ip="10.0.0.1") == [
        "nni_manager_ip: it is not needed for trials on this machine or over SSH, and not used"
    ]
    (warning,) = warnings(SERVICES["aml"])
    assert warning.startswith("nni_manager_ip: it is not set; ")
    assert warnings(SERVICES["aml"], nni_manager_ip="10.0.0.1") == []


def test_what_was_none_becomes_the_default(code_directory: Path) -> None:
    service = changed(SERVICES["aml"], "maxTrialNumberPerGpu", None)
    assert experiment(code_directory, service).json()["trainingService"]["maxTrialNumberPerGpu"] == 1
