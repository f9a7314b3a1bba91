"""The JSON Schema of configuration files: it takes what is valid, and refuses what a schema can refuse."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from nni_config import ConfigBase, ExperimentConfig, InvalidConfigError, TrainingServiceConfig
from nni_config.field_texts import field_texts
from nni_config.json_schema import experiment_schema
from nni_config.names import camel_case
from nni_config.platforms import PLATFORMS, load_every_class
from nni_config.training_service import training_service_class

ANSWERS = json.loads((Path(__file__).parent / "data" / "nni_3_0_configurations.json").read_text())
SPACE = {"x": {"_type": "uniform", "_value": [0, 1]}}
LOCAL: dict[str, Any] = {
    "searchSpace": SPACE,
    "trialCommand": "python3 train.py",
    "trialConcurrency": 1,
    "tuner": {"name": "TPE"},
    "trainingService": {"platform": "local"},
}
MACHINE = {"host": "a", "user": "u", "password": "p"}
NFS = {"storageType": "nfs", "server": "s", "path": "/export"}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    return Draft202012Validator(experiment_schema())


def changed(**fields: Any) -> dict[str, Any]:
    """Returns the local configuration with other fields; those that are ... are left out."""
    return {key: value for key, value in {**LOCAL, **fields}.items() if value is not ...}


def loads(value: Any, folder: Path) -> bool:
    """Returns whether the configuration classes accept what a file holds."""
    path = folder / "experiment.yml"
    path.write_text(json.dumps(value))
    try:
        ExperimentConfig.load(path).validate()
    except InvalidConfigError:
        return False
    return True


def test_it_is_a_schema() -> None:
    schema = experiment_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(schema)) == schema
    assert experiment_schema() == schema


@pytest.mark.parametrize("case", ANSWERS, ids=range(len(ANSWERS)))
def test_canonical_forms_are_valid(case: dict[str, Any], validator: Draft202012Validator) -> None:
    validator.validate(ExperimentConfig(**case["given"]).json(secrets=True))


def test_every_field_is_there_with_its_description(validator: Draft202012Validator) -> None:
    definitions = validator.schema["$defs"]
    load_every_class()
    for platform in PLATFORMS:
        config_class = training_service_class(platform)
        properties = definitions[config_class.__name__]["properties"]
        assert list(properties) == [camel_case(name) for name in config_class.model_fields]
        assert properties["platform"]["const"] == platform
    assert list(validator.schema["properties"]) == [
        camel_case(name) for name in ExperimentConfig.model_fields
    ]
    texts = field_texts(ExperimentConfig)
    shown = validator.schema["properties"]["trialConcurrency"]["description"]
    assert shown.startswith(texts["trial_concurrency"].meaning)
    assert "use_active_gpu" not in json.dumps(validator.schema)


ACCEPTED = {
    "durations": changed(maxExperimentDuration="1.5h", maxTrialDuration=90, trialStopGracePeriod=" 2 D "),
    "small durations": changed(maxExperimentDuration=".5e-3s", maxTrialDuration="0.01M"),
    "one GPU": changed(tunerGpuIndices=0),
    "GPUs as text": changed(tunerGpuIndices="0, 1,10"),
    "GPUs as a list": changed(tunerGpuIndices=[0, 1]),
    "words for true": changed(debug="Yes", useAnnotation="no"),
    "numbers as text": changed(experimentName=5),
    "fields that are not set": changed(experimentName=None, assessor=None, maxTrialNumber=None, debug=None),
    "another case": changed(tuner={"name": "tpe"}),
    "arguments": changed(tuner={"name": "TPE", "classArgs": {"optimize_mode": "minimize", "seed": 5}}),
    "a tuner of one's own": changed(tuner={"className": "a.B", "classArgs": {"x": ["${a}"]}}),
    "a tuner that is served": changed(tuner={"endpoint": "a:1", "token": "x", "classArgs": {"a": "${b}"}}),
    "an advisor that is served": changed(tuner=..., advisor={"endpoint": "a:1"}),
    "any search space for it": changed(tuner={"className": "a.B"}, searchSpace=["anything"]),
    "no search space for it": changed(tuner={"className": "a.B"}, searchSpace=...),
    "an advisor": changed(tuner=..., advisor={"name": "TPE"}),
    "an empty assessor": changed(assessor={"classArgs": {}}),
    "a command of the service": changed(
        trialCommand=..., trainingService={"platform": "local", "trialCommand": "a"}
    ),
    "a variable of the shell": changed(trialCommand="echo ${HOME}"),
    "parameters to be tried first": changed(initialParameters=[{"x": 0.5}, {}], maxTrialRetries=0),
    "no parameters to be tried first": changed(initialParameters=[], maxFailedTrialNumber=1),
    "commands of roles": changed(
        trialCommand=...,
        trainingService={"platform": "kubeflow", "operator": "tf-operator", "apiVersion": 1, "storage": NFS},
    ),
    "several places": changed(
        trainingService=[{"platform": "local"}, {"platform": "remote", "machineList": [MACHINE]}]
    ),
    "a number as a password": changed(
        trainingService={"platform": "remote", "machineList": [{**MACHINE, "password": 1234}]}
    ),
    "a storage by both of its names": changed(
        trainingService={
            **{"platform": "kubeflow", "operator": "tf-operator", "apiVersion": 1},
            "storage": {**NFS, "storage": "nfs"},
        }
    ),
    "shared storage that is not mounted": changed(
        sharedStorage={
            **{"storageType": "NFS", "localMountPoint": "/mnt", "remoteMountPoint": "/mnt"},
            **{"localMounted": "nomount", "nfsServer": "10.0.0.1", "exportedDirectory": "/export"},
        }
    ),
    "shared storage": changed(
        sharedStorage={
            "storageType": "NFS",
            "localMountPoint": "/mnt",
            "remoteMountPoint": "/mnt",
            "localMounted": "nnimount",
            "nfsServer": "10.0.0.1",
            "exportedDirectory": "/export",
        }
    ),
    "groups and nested options": changed(
        searchSpace={
            "group": {"a": {"_type": "qloguniform", "_value": [1e-5, 1, 0.1]}},
            "b": {
                "_type": "choice",
                "_value": [{"_name": "x", "c": {"_type": "randint", "_value": [0, 5]}}, {"_name": "y"}],
            },
            "d": {"_type": "choice", "_value": [1, None, [2], {"any": {"object": 1}}]},
            "e": {"_type": "lognormal", "_value": [0, 1]},
        }
    ),
}


@pytest.mark.parametrize("what", ACCEPTED)
def test_what_is_valid_is_accepted(what: str, validator: Draft202012Validator, tmp_path: Path) -> None:
    validator.validate(ACCEPTED[what])
    assert loads(ACCEPTED[what], tmp_path)


def space(**parameters: Any) -> dict[str, Any]:
    return changed(searchSpace={"p": parameters})


REFUSED = {
    "no tuner": changed(tuner=...),
    "an empty tuner": changed(tuner={}),
    "tuner and advisor": changed(advisor={"name": "TPE"}),
    "a name and an endpoint": changed(tuner={"name": "TPE", "endpoint": "a:1"}),
    "a name and a token": changed(tuner={"name": "TPE", "token": "a"}),
    "a class and an endpoint": changed(tuner={"className": "a.B", "endpoint": "a:1"}),
    "a name and a class": changed(tuner={"name": "TPE", "className": "a.B"}),
    "an unknown tuner": changed(tuner={"name": "TPX"}),
    "an assessor that there is not": changed(assessor={"name": "TPE"}),
    "a class without a module": changed(tuner={"className": "B"}),
    "an unknown mode": changed(tuner={"name": "TPE", "classArgs": {"optimize_mode": "max"}}),
    "a placeholder deep in arguments": changed(tuner={"name": "TPE", "classArgs": {"a": [{"b": "${seed}"}]}}),
    "no command": changed(trialCommand=...),
    "a blank command": changed(trialCommand=" "),
    "no command in one of two services": changed(
        trialCommand=...,
        trainingService=[{"platform": "local", "trialCommand": "a"}, {"platform": "local"}],
    ),
    "no search space": changed(searchSpace=...),
    "no training service": changed(trainingService=[]),
    "no platform": changed(trainingService={"debug": True}),
    "a field of another platform": changed(trainingService={"platform": "local", "machineList": [MACHINE]}),
    "no machines": changed(trainingService={"platform": "remote", "machineList": []}),
    "a blank password": changed(
        trainingService={"platform": "remote", "machineList": [{**MACHINE, "password": " "}]}
    ),
    "a duration of nothing": changed(maxTrialDuration="0.0e5h"),
    "parameters without a list": changed(initialParameters={"x": 0.5}),
    "parameters that are no object": changed(initialParameters=[{"x": 0.5}, 0.5]),
    "less than no retry": changed(maxTrialRetries=-1),
    "no failed trial": changed(maxFailedTrialNumber=0),
    "a negative duration": changed(maxTrialDuration="-5m"),
    "a GPU twice": changed(tunerGpuIndices="1,0,1"),
    "annotations": changed(useAnnotation=True),
    "the fields of another storage": changed(
        trainingService={
            "platform": "kubeflow",
            "operator": "tf-operator",
            "apiVersion": "v1",
            "storage": {**NFS, "azureShare": "a"},
        }
    ),
    "half of a storage": changed(
        sharedStorage={
            "storageType": "NFS",
            "localMountPoint": "/",
            "remoteMountPoint": "/",
            "localMounted": "usermount",
        }
    ),
    "an empty search space": changed(searchSpace={}),
    "an unknown type": space(_type="unifrm", _value=[0, 1]),
    "no type": space(_value=[0, 1]),
    "no value": space(_type="uniform"),
    "too many bounds": space(_type="uniform", _value=[0, 1, 2]),
    "too few bounds": space(_type="quniform", _value=[0, 1]),
    "a bound that is text": space(_type="uniform", _value=["0", 1]),
    "a fraction for randint": space(_type="randint", _value=[0, 1.5]),
    "a logarithm of 0": space(_type="loguniform", _value=[0, 1]),
    "q of 0": space(_type="quniform", _value=[0, 1, 0]),
    "no options": space(_type="choice", _value=[]),
    "options with and without names": space(_type="choice", _value=[{"_name": "a"}, 5]),
    "a parameter without a name around it": space(_type="choice", _value=[{"a": SPACE["x"]}]),
    "a wrong parameter in an option": space(
        _type="choice", _value=[{"_name": "a", "b": {"_type": "uniform"}}]
    ),
    "a constant": changed(searchSpace={"p": 5}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_wrong_is_refused(what: str, validator: Draft202012Validator, tmp_path: Path) -> None:
    assert not validator.is_valid(REFUSED[what])
    assert not loads(REFUSED[what], tmp_path)


GPU = {"trialGpuNumber": 1}
UNSEEN = {
    "a folder that is not there": changed(trialCodeDirectory="/no/such/folder"),
    "a file that is not there": changed(searchSpaceFile="/no/such/file"),
    "GPUs without useActiveGpu": changed(**GPU),
    "a share of no GPU": changed(trainingService={"platform": "local", "maxTrialNumberPerGpu": 2}),
    "two modes": changed(
        optimizeMode="maximize", tuner={"name": "TPE", "classArgs": {"optimize_mode": "minimize"}}
    ),
    "low above high": space(_type="uniform", _value=[1, 0]),
    "parameters outside the search space": changed(initialParameters=[{"x": 2}]),
    "parameters that the search space does not name": changed(initialParameters=[{"y": 0}]),
    "a whole number with a point": space(_type="randint", _value=[0, 5.0]),
    "a host with a port": changed(
        trainingService={"platform": "remote", "machineList": [{**MACHINE, "host": "a:22"}]}
    ),
    "a role twice": changed(
        trainingService={
            "platform": "frameworkcontroller",
            "storage": NFS,
            "taskRoles": 2
            * [
                {
                    "name": "w",
                    "taskNumber": 1,
                    "command": "a",
                    "gpuNumber": 0,
                    "cpuNumber": 1,
                    "memorySize": "1gb",
                    "frameworkAttemptCompletionPolicy": {"minFailedTaskCount": 1, "minSucceedTaskCount": 1},
                }
            ],
        }
    ),
}
"""What no schema of one file can express, or ours does not; docs/configuration/editors.md names it."""


@pytest.mark.parametrize("what", UNSEEN)
def test_what_a_schema_cannot_see(what: str, validator: Draft202012Validator, tmp_path: Path) -> None:
    validator.validate(UNSEEN[what])
    assert not loads(UNSEEN[what], tmp_path)


SPELLINGS = {
    "snake case": changed(trialConcurrency=..., trial_concurrency=1),
    "another case": changed(trialConcurrency=..., TRIALCONCURRENCY=1),
}


@pytest.mark.parametrize("what", SPELLINGS)
def test_only_the_usual_spelling_is_completed(
    what: str, validator: Draft202012Validator, tmp_path: Path
) -> None:
    assert not validator.is_valid(SPELLINGS[what])
    assert loads(SPELLINGS[what], tmp_path)


def test_classes_of_others_are_in_it() -> None:
    class LunarConfig(TrainingServiceConfig):
        """Runs trials on the moon.

        Attributes:
            crater: Which crater. Rule: not blank.
        """

        platform: str = "lunar"
        crater: str
        anything: type | None = None

    schema = experiment_schema()
    definition = schema["$defs"]["LunarConfig"]
    assert definition["properties"]["crater"]["description"] == "Which crater. Rule: not blank."
    validator = Draft202012Validator(schema)
    assert validator.is_valid(changed(trainingService={"platform": "lunar", "crater": "Tycho"}))
    assert not validator.is_valid(changed(trainingService={"platform": "lunar", "crater": " "}))
    assert not validator.is_valid(changed(trainingService={"platform": "lunar"}))
    assert issubclass(LunarConfig, ConfigBase)


def test_the_package_loads_nothing_of_it() -> None:
    code = "import sys, nni_config; print([name for name in sys.modules if 'schema' in name.split('.')[-1]])"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert "json_schema" not in loaded and "nni_config.schema" not in loaded
    code = "import sys, nni_config.json_schema; print('nni_config.json_schema' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "True\n"


def test_without_docstrings_it_has_no_descriptions_but_all_else() -> None:
    code = "import json; from nni_config.json_schema import experiment_schema as s; print(json.dumps(s()))"
    bare = json.loads(subprocess.check_output([sys.executable, "-OO", "-c", code], text=True))
    assert bare["properties"].keys() == experiment_schema()["properties"].keys()
    validator = Draft202012Validator(bare)
    assert validator.is_valid(LOCAL)
    assert not validator.is_valid(changed(tuner=...))
