"""YAML -> configuration -> JSON -> configuration -> message -> configuration is equal, for every class."""

import json
from pathlib import Path
from typing import Any, get_args

import nni_config
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nni_config import ConfigBase, ExperimentConfig
from nni_config.fields import field_kinds
from nni_config.names import camel_case
from nni_config.platforms import PLATFORMS
from nni_config.wire import config_from_message, config_to_message
from nni_proto.v1 import experiment_config_pb2 as pb

CLASSES = {
    name: getattr(nni_config, name)
    for name in nni_config.__all__
    if isinstance(getattr(nni_config, name), type) and issubclass(getattr(nni_config, name), ConfigBase)
}
FOLDER = str(Path(__file__).resolve().parent)

words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",), exclude_characters="$"), max_size=8)
names = words.filter(str.strip)
whole = st.integers(1, 2**31 - 1)
hosts = st.sampled_from(["a", "gpu-1.example.com", "10.0.0.1", "::1"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(words, values, max_size=3)
durations = st.sampled_from(["1.5h", "90m", "3s", "2D"]) | whole | st.floats(0.001, 1e6)
sizes = st.sampled_from(["8gb", "1.5 tb", "512MB"]) | whole
indices = st.lists(st.integers(0, 100), min_size=1, max_size=3, unique=True)
spaces = st.dictionaries(
    names.filter(lambda name: name not in ("_name", "_type", "_value")),
    st.sampled_from(
        [
            {"_type": "choice", "_value": [1, 1.0, "1", True, None]},
            {"_type": "uniform", "_value": [-1, 1e-5]},
            {
                "_type": "choice",
                "_value": [{"_name": "a"}, {"_name": "b", "k": {"_type": "randint", "_value": [0, 9]}}],
            },
        ]
    ),
    min_size=1,
    max_size=3,
)

BY_NAME = {
    "port": st.integers(1, 65535),
    "search_space": values,
    "class_args": objects,
    "openpai_config": objects,
    "gpu_indices": indices,
    "tuner_gpu_indices": indices,
    "max_experiment_duration": durations,
    "max_trial_duration": durations,
    "trial_stop_grace_period": durations,
    "memory_size": sizes,
    "trial_memory_size": sizes,
    "output_files": st.lists(st.sampled_from(["*", "!a", "plots/**"]), max_size=2),
    **dict.fromkeys(("connect_timeout", "unreachable_limit"), durations),
    **dict.fromkeys(("max_code_size", "max_output_size"), sizes),
    "initial_parameters": st.lists(objects, min_size=1, max_size=3),
}


def of_field(config_class: type[ConfigBase], name: str) -> st.SearchStrategy[Any]:
    """Returns values that may be assigned to a field."""
    kind = field_kinds(config_class)[name]
    annotation = config_class.model_fields[name].annotation
    parts = (annotation, *get_args(annotation))
    literals = [value for part in parts for value in get_args(part) if isinstance(value, str)]
    if name == "training_service":
        services = st.one_of(*(of_class(CLASSES[path.split(".")[1]]) for path in PLATFORMS.values()))
        return services | st.lists(services, min_size=2, max_size=2)
    if kind.config_class is not None:
        inner = of_class(kind.config_class)
        # An empty list is never valid, and there is no other way to write it in a message than none.
        return st.lists(inner, min_size=1, max_size=2) if kind.must_be_list else inner
    if name in BY_NAME:
        return BY_NAME[name]
    if kind.is_path:
        return st.just("/code")
    if kind.is_bool:
        return st.booleans()
    if kind.is_text or kind.is_secret:
        return words
    if literals:
        return st.sampled_from(literals)
    return whole


def of_class(config_class: type[ConfigBase]) -> st.SearchStrategy[Any]:
    """Returns configurations of a class with any fields set, valid or not."""
    if config_class is nni_config.TrainingServiceConfig:
        config_class = nni_config.LocalConfig
    if config_class is nni_config.SharedStorageConfig:
        return of_class(nni_config.NfsConfig) | of_class(nni_config.AzureBlobConfig)
    if config_class is nni_config.K8sStorageConfig:
        kinds = (nni_config.K8sNfsConfig, nni_config.K8sAzureStorageConfig)
        return st.one_of(fields_of_class(config_class), *map(fields_of_class, kinds))
    return fields_of_class(config_class)


def fields_of_class(config_class: type[ConfigBase]) -> st.SearchStrategy[Any]:
    """Returns configurations of exactly this class with any fields set."""
    skipped = ("advisor", "nni_manager_ip", "storage_type", "platform", "storage")
    fields = [
        name
        for name in config_class.model_fields
        if name not in skipped or (name == "storage" and "platform" in config_class.model_fields)
    ]
    optional = {}
    for name in fields:
        strategy = st.deferred(lambda name=name: of_field(config_class, name))
        # None says the same as the default, so that there is no other way to write it in a message.
        has_default = config_class.model_fields[name].default is not None
        optional[name] = strategy if has_default else st.none() | strategy
    if config_class is nni_config.AlgorithmConfig:
        optional["class_name"] = optional["code_directory"] = st.none()
    return st.fixed_dictionaries({}, optional=optional).map(lambda given: config_class(**given))


@pytest.mark.parametrize(
    "name", [path.split(".")[1] for path in PLATFORMS.values()] + ["NfsConfig", "AzureBlobConfig"]
)
def test_every_class_travels_as_a_message(name: str) -> None:
    is_storage = CLASSES[name]._place == "shared_storage"

    @given(of_class(CLASSES[name]))
    @settings(max_examples=40, deadline=None)
    def there_and_back(part: ConfigBase) -> None:
        config = ExperimentConfig(**{"shared_storage" if is_storage else "training_service": part})
        message = config_to_message(config)
        read = config_from_message(pb.ExperimentConfig.FromString(message.SerializeToString()))
        assert read.to_dict(secrets=True) == config.to_dict(secrets=True)
        assert repr(read.to_dict(secrets=True)) == repr(config.to_dict(secrets=True))

    there_and_back()


@given(of_class(ExperimentConfig))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_configuration_travels_as_a_message(config: ExperimentConfig) -> None:
    read = config_from_message(config_to_message(config))
    assert repr(read.to_dict(secrets=True)) == repr(config.to_dict(secrets=True))


COMMON = {"trialCodeDirectory": st.just(FOLDER), "trialGpuNumber": st.integers(1, 9), "debug": st.booleans()}
MACHINE = {
    "required": {"host": hosts, "user": names, "password": names},
    "optional": {
        "port": st.integers(1, 65535),
        "useActiveGpu": st.booleans(),
        "gpuIndices": indices,
        "pythonPath": names,
        "sshPassphrase": names,
        "trialConcurrency": whole,
    },
}
ROLE = {"command": names, "cpuNumber": whole, "memorySize": sizes, "gpuNumber": st.integers(0, 8)}
POLICY = {"minFailedTaskCount": st.integers(-1, 9), "minSucceedTaskCount": st.integers(-1, 9)}
STORAGE = st.fixed_dictionaries({"storageType": st.just("nfs"), "server": hosts, "path": names}) | (
    st.fixed_dictionaries(
        {
            "storageType": st.just("azureStorage"),
            **dict.fromkeys(("azureAccount", "azureShare", "keyVaultName", "keyVaultKey"), names),
        }
    )
)
VALID: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "local": (
        {},
        {
            **{"useActiveGpu": st.booleans(), "gpuIndices": indices, "reuseMode": st.booleans()},
            "trialConcurrency": whole,
        },
    ),
    "remote": (
        {
            "machineList": st.lists(
                st.fixed_dictionaries(MACHINE["required"], optional=MACHINE["optional"]),
                min_size=1,
                max_size=2,
            )
        },
        {
            **dict.fromkeys(("reuseMode", "allowPartial", "keepRemoteFiles"), st.booleans()),
            **dict.fromkeys(("connectTimeout", "unreachableLimit"), durations),
            **dict.fromkeys(("maxCodeSize", "maxOutputSize"), sizes),
            "trialConcurrency": whole,
            "newHostKeys": st.sampled_from(["accept", "refuse"]),
            "outsideLinks": st.sampled_from(["copy", "refuse"]),
            "outputFiles": st.lists(st.sampled_from(["*", "!a", "plots/**"]), max_size=2),
        },
    ),
    "openpai": (
        {
            **dict.fromkeys(("username", "token", "storageConfigName", "containerStorageMountPoint"), names),
            "host": hosts,
            "trialCpuNumber": whole,
            "trialGpuNumber": st.integers(0, 8),
            "trialMemorySize": sizes,
            "localStorageMountPoint": st.just(FOLDER),
        },
        {"dockerImage": names, "virtualCluster": names, "openpaiConfig": objects, "reuseMode": st.booleans()},
    ),
    "aml": (
        {
            **dict.fromkeys(("subscriptionId", "resourceGroup", "workspaceName", "computeTarget"), names),
            "trialGpuNumber": whole,
        },
        {
            "dockerImage": names,
            "maxTrialNumberPerGpu": whole,
        },
    ),
    "dlc": (
        {
            **dict.fromkeys(("image", "ecsSpec", "region", "workspaceId", "nasDataSourceId"), names),
            **dict.fromkeys(("accessKeyId", "accessKeySecret"), names),
            **dict.fromkeys(("localStorageMountPoint", "containerStorageMountPoint"), names),
            "podCount": whole,
        },
        {"type": names, "jobType": names, "ossDataSourceId": names},
    ),
    "kubeflow": (
        {
            "operator": st.sampled_from(["tf-operator", "pytorch-operator"]),
            "apiVersion": names,
            "storage": STORAGE,
        },
        {
            role: st.fixed_dictionaries({**ROLE, "replicas": whole, "codeDirectory": names})
            for role in ("worker", "ps", "master")
        },
    ),
    "frameworkcontroller": (
        {
            "storage": STORAGE,
            "taskRoles": st.lists(
                st.fixed_dictionaries(
                    {
                        **ROLE,
                        "name": names,
                        "taskNumber": whole,
                        "frameworkAttemptCompletionPolicy": st.fixed_dictionaries(POLICY),
                    }
                ),
                min_size=1,
                max_size=2,
                unique_by=lambda role: role["name"],
            ),
        },
        {"serviceAccountName": names, "namespace": names, "reuseMode": st.booleans()},
    ),
}
SHARED = st.fixed_dictionaries(
    {
        "storageType": st.just("NFS"),
        "localMountPoint": st.just(FOLDER),
        "remoteMountPoint": names,
        "localMounted": st.sampled_from(["usermount", "nnimount", "nomount"]),
        "nfsServer": hosts,
        "exportedDirectory": names,
    }
) | st.fixed_dictionaries(
    {
        "storageType": st.just("AzureBlob"),
        "localMountPoint": st.just("/no/such/yet"),
        "remoteMountPoint": names,
        "localMounted": st.just("nnimount"),
        "storageAccountName": names,
        "containerName": names,
    },
    optional={"storageAccountKey": names, "storageAccountUrl": st.just("http://127.0.0.1:10000/a")},
)


def services(platform: str) -> st.SearchStrategy[dict[str, Any]]:
    needed, more = VALID[platform]
    return st.fixed_dictionaries(
        {"platform": st.just(platform), "trialCommand": names, **needed},
        optional={key: value for key, value in {**COMMON, **more}.items() if key not in needed},
    ).map(lambda service: {"useActiveGpu": True, **service} if platform == "local" else service)


def files(service: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Returns what files with valid configurations hold."""
    return st.fixed_dictionaries(
        {
            "searchSpace": spaces,
            "trialConcurrency": whole,
            "tuner": st.sampled_from([{"name": "TPE"}, {"name": "random", "classArgs": {"seed": 1}}])
            | st.fixed_dictionaries({"className": st.just("a.B"), "classArgs": objects}),
            "trainingService": service,
        },
        optional={
            "experimentName": names,
            "maxExperimentDuration": durations,
            "maxTrialNumber": whole,
            "maxTrialDuration": durations,
            "nniManagerIp": hosts,
            "debug": st.booleans(),
            "logLevel": st.sampled_from(["fatal", "critical", "trace"]),
            "tunerGpuIndices": indices | st.just("0,1"),
            "assessor": st.fixed_dictionaries({"className": st.just("a.B")}),
            "sharedStorage": SHARED,
            "optimizeMode": st.just("minimize"),
            "trialStopGracePeriod": durations,
            "snapshotCode": st.booleans(),
            "maxTrialRetries": st.integers(0, 9),
            "maxFailedTrialNumber": whole,
            "keepBestCheckpoints": whole,
            "keepLastCheckpoints": whole,
            "initialParameters": st.lists(st.just({}), min_size=1, max_size=3),
        },
    )


@pytest.mark.parametrize("platform", [*VALID, "hybrid"])
def test_from_yaml_through_everything_and_back(tmp_path: Path, platform: str) -> None:
    path = tmp_path / "exp.yml"
    service = (
        services(platform)
        if platform in VALID
        else st.lists(st.sampled_from(list(VALID)).flatmap(services), min_size=2, max_size=3)
    )

    @given(files(service))
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def through(content: dict[str, Any]) -> None:
        path.write_text(json.dumps(content))
        config = ExperimentConfig.load(path)
        written = config.json(secrets=True)
        for key, value in content.items():
            if key not in ("trainingService", "tuner", "assessor", "sharedStorage", "tunerGpuIndices"):
                assert repr(written[key]) == repr(value)
        again = ExperimentConfig(**json.loads(json.dumps(written)))
        assert repr(again.json(secrets=True)) == repr(written)
        message = config_to_message(again.canonical_copy())
        read = config_from_message(pb.ExperimentConfig.FromString(message.SerializeToString()))
        assert repr(read.json(secrets=True)) == repr(written)
        assert read.canonical_copy() == again.canonical_copy()

    through()


def test_every_field_of_every_class_is_in_these_tests() -> None:
    for path in PLATFORMS.values():
        config_class = CLASSES[path.split(".")[1]]
        needed, more = VALID[config_class.model_fields["platform"].default]
        rest = set(map(camel_case, config_class.model_fields)) - {
            *needed, *more, *COMMON, "platform", "trialCommand", "nniManagerIp"
        }  # fmt: skip
        # Those left have rules that the tests of the platforms have.
        assert rest <= {
            *("maxTrialNumberPerGpu", "openpaiConfigFile", "namespace", "reuseMode", "environment"),
            *("tokenFile", "caFile", "insecure", "maxCodeSize", "studioMetrics"),
        }
