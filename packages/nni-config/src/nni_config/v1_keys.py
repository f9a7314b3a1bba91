"""What becomes of every key of NNI's V1 configuration files, as tables.

A path has a dot between its steps and * for each position in a list. @ is the training service.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moved:
    """The value goes to a place in the V2 form as it is."""

    target: str


@dataclass(frozen=True, slots=True)
class MovedIfTrue:
    """As `Moved`, but false, which is the default, need not be written."""

    target: str


@dataclass(frozen=True, slots=True)
class Joined:
    """The value becomes a part of what is at a place in the V2 form."""

    target: str


@dataclass(frozen=True, slots=True)
class Section:
    """The key holds further keys; what the V2 form has in its place is at `target`."""

    target: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """The V2 form has no place for it. With `must_be_false`, true is refused."""

    reason: str
    must_be_false: bool = False


Rule = Moved | MovedIfTrue | Joined | Section | Dropped
Rules = dict[str, Rule]

PLATFORMS = {
    "local": "local",
    "remote": "remote",
    "pai": "openpai",
    "aml": "aml",
    "kubeflow": "kubeflow",
    "frameworkcontroller": "frameworkcontroller",
}
"""V1's names of places to run trials, with V2's."""

HYBRID = "hybrid"
GONE = {
    "adl": "AdaptDL was removed from NNI",
    "dlts": "DLTS was removed from NNI",
    "paiYarn": "the YARN kind of OpenPAI was removed from NNI",
}
"""V1's platforms that the V2 form does not have."""

_NO_FIELD = "the V2 form has no field for it; keep it as a comment"
_NO_NAS = "architecture search is not part of this version"
_OWN_GPUS = "every job there has GPUs of its own"
_NO_REGISTRY = "the V2 form has no sign-in to image registries; give the cluster the credentials"


def _algorithm(kind: str) -> Rules:
    name = f"builtin{kind.capitalize()}Name"
    return {
        kind: Section(kind),
        f"{kind}.{name}": Moved(f"{kind}.name"),
        f"{kind}.className": Moved(f"{kind}.className"),
        f"{kind}.classFileName": Joined(f"{kind}.className"),
        f"{kind}.codeDir": Moved(f"{kind}.codeDirectory"),
        f"{kind}.classArgs": Moved(f"{kind}.classArgs"),
        f"{kind}.includeIntermediateResults": Dropped("there is no such choice any more"),
    }


# The order is that of the converted file. Where two keys have one target, the later one wins.
COMMON: Rules = {
    "authorName": Dropped(_NO_FIELD),
    "description": Dropped(_NO_FIELD),
    "experimentName": Moved("experimentName"),
    "searchSpacePath": Moved("searchSpaceFile"),
    "trial.command": Moved("trialCommand"),
    "trial.codeDir": Moved("trialCodeDirectory"),
    "trialConcurrency": Moved("trialConcurrency"),
    "trial.gpuNum": Moved("trialGpuNumber"),
    "trial.nasMode": Dropped(_NO_NAS),
    "maxExecDuration": Moved("maxExperimentDuration"),
    "maxTrialNum": Moved("maxTrialNumber"),
    "maxTrialDuration": Moved("maxTrialDuration"),
    "nniManagerIp": Moved("nniManagerIp"),
    "useAnnotation": MovedIfTrue("useAnnotation"),
    "debug": Moved("debug"),
    "logLevel": Moved("logLevel"),
    "logDir": Moved("experimentWorkingDirectory"),
    "multiPhase": Dropped("a trial has one set of parameters, as with false", must_be_false=True),
    "multiThread": Dropped("tuners run in one thread"),
    "versionCheck": Dropped("the versions are always checked"),
    "logCollection": Dropped("logs stay where the trials run"),
    "assessor.gpuIndices": Moved("tunerGpuIndices"),
    "advisor.gpuIndices": Moved("tunerGpuIndices"),
    "tuner.gpuIndices": Moved("tunerGpuIndices"),
    **_algorithm("tuner"),
    **_algorithm("assessor"),
    **_algorithm("advisor"),
    "sharedStorage": Section("sharedStorage"),
    **{
        f"sharedStorage.{name}": Moved(f"sharedStorage.{name}")
        for name in (
            "storageType",
            "localMountPoint",
            "remoteMountPoint",
            "localMounted",
            "nfsServer",
            "exportedDirectory",
            "storageAccountName",
            "storageAccountKey",
            "containerName",
        )
    },
}


def _role(section: str, target: str) -> Rules:
    return {
        section: Section(target),
        f"{section}.command": Moved(f"{target}.command"),
        f"{section}.gpuNum": Moved(f"{target}.gpuNumber"),
        f"{section}.cpuNum": Moved(f"{target}.cpuNumber"),
        f"{section}.memoryMB": Moved(f"{target}.memorySize"),
        f"{section}.image": Moved(f"{target}.dockerImage"),
        f"{section}.privateRegistryAuthPath": Dropped(_NO_REGISTRY),
    }


def _storage(section: str) -> Rules:
    return {
        section: Section("@.storage"),
        f"{section}.storage": Moved("@.storage.storageType"),
        f"{section}.nfs": Section("@.storage"),
        f"{section}.nfs.server": Moved("@.storage.server"),
        f"{section}.nfs.path": Moved("@.storage.path"),
        f"{section}.azureStorage": Section("@.storage"),
        f"{section}.azureStorage.accountName": Moved("@.storage.azureAccount"),
        f"{section}.azureStorage.azureShare": Moved("@.storage.azureShare"),
        f"{section}.keyVault": Section("@.storage"),
        f"{section}.keyVault.vaultName": Moved("@.storage.keyVaultName"),
        f"{section}.keyVault.name": Moved("@.storage.keyVaultKey"),
        f"{section}.uploadRetryCount": Dropped("the V2 form has no number of attempts for it"),
        f"{section}.reuse": Moved("@.reuseMode"),
        f"{section}.namespace": Moved("@.namespace"),
    }


_ROLES = ("worker", "ps", "master")


def _completion_policy(name: str) -> Rules:
    section, target = f"trial.taskRoles.*.{name}", "@.taskRoles.*.frameworkAttemptCompletionPolicy"
    return {
        section: Section(target),
        f"{section}.minFailedTaskCount": Moved(f"{target}.minFailedTaskCount"),
        f"{section}.minSucceededTaskCount": Moved(f"{target}.minSucceedTaskCount"),
    }


OF_PLATFORM: dict[str, Rules] = {
    "local": {
        "localConfig.useActiveGpu": Moved("@.useActiveGpu"),
        "localConfig.maxTrialNumPerGpu": Moved("@.maxTrialNumberPerGpu"),
        "localConfig.gpuIndices": Moved("@.gpuIndices"),
    },
    "remote": {
        "remoteConfig.reuse": Moved("@.reuseMode"),
        "machineList": Section("@.machineList"),
        "machineList.*": Section("@.machineList.*"),
        "machineList.*.ip": Moved("@.machineList.*.host"),
        "machineList.*.port": Moved("@.machineList.*.port"),
        "machineList.*.username": Moved("@.machineList.*.user"),
        "machineList.*.passwd": Moved("@.machineList.*.password"),
        "machineList.*.sshKeyPath": Moved("@.machineList.*.sshKeyFile"),
        "machineList.*.passphrase": Moved("@.machineList.*.sshPassphrase"),
        "machineList.*.useActiveGpu": Moved("@.machineList.*.useActiveGpu"),
        "machineList.*.maxTrialNumPerGpu": Moved("@.machineList.*.maxTrialNumberPerGpu"),
        "machineList.*.gpuIndices": Moved("@.machineList.*.gpuIndices"),
        "machineList.*.pythonPath": Moved("@.machineList.*.pythonPath"),
    },
    "pai": {
        "paiConfig.host": Moved("@.host"),
        "paiConfig.userName": Moved("@.username"),
        "paiConfig.token": Moved("@.token"),
        "paiConfig.passWord": Dropped("OpenPAI is signed in to with a token; write paiConfig.token"),
        "trial.cpuNum": Moved("@.trialCpuNumber"),
        "paiConfig.cpuNum": Moved("@.trialCpuNumber"),
        "trial.memoryMB": Moved("@.trialMemorySize"),
        "paiConfig.memoryMB": Moved("@.trialMemorySize"),
        "paiConfig.gpuNum": Moved("@.trialGpuNumber"),
        "trial.image": Moved("@.dockerImage"),
        "trial.virtualCluster": Moved("@.virtualCluster"),
        "trial.paiStorageConfigName": Moved("@.storageConfigName"),
        "trial.nniManagerNFSMountPath": Moved("@.localStorageMountPoint"),
        "trial.containerNFSMountPath": Moved("@.containerStorageMountPoint"),
        "paiConfig.reuse": Moved("@.reuseMode"),
        "trial.paiConfigPath": Moved("@.openpaiConfigFile"),
        "paiConfig.maxTrialNumPerGpu": Dropped(_OWN_GPUS),
        "paiConfig.useActiveGpu": Dropped(_OWN_GPUS),
    },
    "aml": {
        "amlConfig.subscriptionId": Moved("@.subscriptionId"),
        "amlConfig.resourceGroup": Moved("@.resourceGroup"),
        "amlConfig.workspaceName": Moved("@.workspaceName"),
        "amlConfig.computeTarget": Moved("@.computeTarget"),
        "trial.image": Moved("@.dockerImage"),
        "amlConfig.maxTrialNumPerGpu": Moved("@.maxTrialNumberPerGpu"),
        "amlConfig.useActiveGpu": Dropped(_OWN_GPUS),
    },
    "kubeflow": {
        "kubeflowConfig.operator": Moved("@.operator"),
        "kubeflowConfig.apiVersion": Moved("@.apiVersion"),
        **_storage("kubeflowConfig"),
        **{
            path: rule
            for role in _ROLES
            for path, rule in {
                **_role(f"trial.{role}", f"@.{role}"),
                f"trial.{role}.replicas": Moved(f"@.{role}.replicas"),
            }.items()
        },
    },
    "frameworkcontroller": {
        **_storage("frameworkcontrollerConfig"),
        "frameworkcontrollerConfig.serviceAccountName": Moved("@.serviceAccountName"),
        "frameworkcontrollerConfig.configPath": Dropped("the V2 form has no file with a job's template"),
        "frameworkcontrollerConfig.pvc.path": Dropped("the V2 form has no persistent volume claims"),
        "trial.taskRoles": Section("@.taskRoles"),
        **_role("trial.taskRoles.*", "@.taskRoles.*"),
        "trial.taskRoles.*.name": Moved("@.taskRoles.*.name"),
        "trial.taskRoles.*.taskNum": Moved("@.taskRoles.*.taskNumber"),
        **_completion_policy("frameworkAttemptCompletionPolicy"),
        **_completion_policy("frameworkControllerCompletionPolicy"),
    },
}
"""The keys that only one platform has. In the hybrid form each platform of the list takes its own."""

HYBRID_LIST = "hybridConfig.trainingServicePlatforms"
PLATFORM = "trainingServicePlatform"

RELATIVE_PATHS = (
    "searchSpaceFile",
    "trialCodeDirectory",
    "experimentWorkingDirectory",
    "codeDirectory",
    "sshKeyFile",
    "openpaiConfigFile",
    "localStorageMountPoint",
    "localMountPoint",
)
"""Fields of the V2 form, wherever they stand, whose relative paths mean the folder of the file."""
