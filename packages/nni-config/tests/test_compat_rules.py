"""The rules of NNI's configuration classes, by the sections of the description of NNI's public surface."""

import json
from pathlib import Path
from typing import Any

import pytest
from nni_config import (
    AlgorithmConfig,
    ConfigBase,
    CustomAlgorithmConfig,
    ExperimentConfig,
    InvalidConfigError,
    LocalConfig,
    RemoteConfig,
    RemoteMachineConfig,
    TrainingServiceConfig,
)

YAML = {
    "searchSpace": {"x": {"_type": "uniform", "_value": [0, 1]}},
    "trialCommand": "a",
    "trialConcurrency": 1,
    "tuner": {"name": "TPE"},
    "trainingService": {"platform": "local"},
}


def load(folder: Path, **changes: Any) -> ExperimentConfig:
    path = folder / "exp.yml"
    content = {key: value for key, value in {**YAML, **changes}.items() if value is not ...}
    path.write_text(json.dumps(content))
    return ExperimentConfig.load(path)


def paths_of(call: Any) -> list[str]:
    with pytest.raises(InvalidConfigError) as error:
        call()
    return [".".join(map(str, problem.path)) for problem in error.value.problems]


# -- 2.1, what all classes do --


@pytest.mark.parametrize(
    "written", ["trial_gpu_number", "trialGpuNumber", "TrialGPUNumber", "_TRIALGPUNUMBER_", "trialgpunumber"]
)
def test_2_1_names_ignore_case_and_underscores(tmp_path: Path, written: str) -> None:
    assert ExperimentConfig(**{written: 3}).trial_gpu_number == 3
    assert load(tmp_path, **{written: 3}).trial_gpu_number == 3
    machine = {"HOST": "a", "useActiveGPU": True, "gpu_Indices": "0"}
    service = load(
        tmp_path, trainingService={"Platform": "remote", "machine_list": [machine]}
    ).training_service
    assert service == RemoteConfig(
        machine_list=[RemoteMachineConfig(host="a", use_active_gpu=True, gpu_indices=[0])]
    )


def test_2_1_names_with_an_underscore_in_front_are_free() -> None:
    config = ExperimentConfig()
    config._note = "mine"  # type: ignore[attr-defined]
    assert config._note == "mine"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="ExperimentConfig does not have field note"):
        config.note = "mine"


def test_2_1_a_missing_field_is_told_when_it_is_validated() -> None:
    config = RemoteConfig(machine_list=[RemoteMachineConfig()])
    assert {"machine_list.0.host", "machine_list.0.user", "trial_command"} <= set(paths_of(config.validate))


@pytest.mark.parametrize("content", ["- a\n", "5\n", "", "text\n"])
def test_2_1_loading_what_is_no_mapping_is_a_type_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "exp.yml").write_text(content)
    with pytest.raises(TypeError):
        ExperimentConfig.load(tmp_path / "exp.yml")


def test_2_1_none_is_left_out_of_json(tmp_path: Path) -> None:
    written = load(tmp_path, experimentName=None, assessor=None, tunerGpuIndices=None).json()
    assert None not in written.values()
    assert not {"experimentName", "assessor", "tunerGpuIndices"} & written.keys()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (".", ""),
        ("code", "code"),
        ("./code/../code", "code"),
        ("link", "code"),
        ("~/code", "code"),
    ],
)
def test_2_1_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, expected: str) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "link").symlink_to("code")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir("/")
    config = load(tmp_path, trialCodeDirectory=written)
    resolved = str((tmp_path / expected).resolve())
    assert config.json()["trialCodeDirectory"] == resolved
    assert config.json()["trainingService"]["trialCodeDirectory"] == resolved
    assert config.trial_code_directory == written


def test_2_1_hooks_see_the_configurations_around() -> None:
    seen = []

    class _Inner(ConfigBase):
        a: int = 1

        def _canonicalize(self, parents: list[ConfigBase]) -> None:
            seen.append([type(parent).__name__ for parent in parents])

    class _Outer(ConfigBase):
        inner: _Inner | None = None
        many: list[_Inner] | None = None

    _Outer(inner={"a": 2}, many=[_Inner(), {"A": 3}]).validate()
    assert seen == [["_Outer"]] * 3


# -- 2.2, the experiment --


def test_2_2_the_platform_may_be_named_by_its_keyword() -> None:
    config = ExperimentConfig(training_service_platform="local")
    assert config.training_service == LocalConfig()


def test_2_2_arguments_win_over_the_template() -> None:
    config = ExperimentConfig("local", tuner=AlgorithmConfig(name="TPE"), Debug=True)
    assert config.tuner == AlgorithmConfig(name="TPE")
    assert config.debug is True


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("trialConcurrency", 0),
        ("trialConcurrency", -1),
        ("trialConcurrency", 1.5),
        ("trialConcurrency", "1"),
        ("trialConcurrency", True),
        ("maxTrialNumber", 0),
        ("maxExperimentDuration", "0s"),
        ("maxExperimentDuration", "1 week"),
        ("maxExperimentDuration", "-1h"),
        ("maxTrialDuration", 0),
        ("maxTrialDuration", "h"),
        ("trialGpuNumber", -1),
        ("logLevel", "verbose"),
        ("logLevel", "INFO"),
        ("experimentType", "nas"),
        ("useAnnotation", True),
        ("debug", "maybe"),
        ("tunerGpuIndices", "0,0"),
        ("tunerGpuIndices", [-1]),
        ("trialCodeDirectory", "no/such/folder"),
        ("searchSpaceFile", "no-such.json"),
        ("trialCommand", ["python3", "a.py"]),
    ],
)
def test_2_2_values_that_are_refused(tmp_path: Path, key: str, value: Any) -> None:
    (path,) = paths_of(lambda: load(tmp_path, **{key: value}).validate())
    assert path.replace("_", "") == key.lower()


@pytest.mark.parametrize(
    ("key", "value", "written"),
    [
        ("maxExperimentDuration", "1.5H", "1.5H"),
        ("maxExperimentDuration", 60, 60),
        ("maxTrialDuration", " 90 m ", " 90 m "),
        ("tunerGpuIndices", "2,1", [2, 1]),
        ("tunerGpuIndices", 0, [0]),
        ("experimentName", 7, "7"),
        ("trialGpuNumber", 0, 0),
        ("debug", "off", False),
        ("searchSpace", {"x": {"_type": "choice", "_value": [{"a": 1}]}}, ...),
    ],
)
def test_2_2_values_in_their_canonical_form(tmp_path: Path, key: str, value: Any, written: Any) -> None:
    assert load(tmp_path, **{key: value}).json()[key] == (value if written is ... else written)


def test_2_2_r_fatal_and_critical_are_the_same_level(tmp_path: Path) -> None:
    for level in ("fatal", "critical"):
        assert load(tmp_path, logLevel=level).json()["logLevel"] == level


def test_2_2_r_hybrid_needs_no_address_of_the_manager(tmp_path: Path) -> None:
    services = [{"platform": "local"}, {"platform": "local", "reuseMode": True}]
    written = load(tmp_path, trainingService=services).json()
    assert "nniManagerIp" not in written
    assert [service["reuseMode"] for service in written["trainingService"]] == [False, True]


def test_2_2_a_search_space_is_needed(tmp_path: Path) -> None:
    assert paths_of(load(tmp_path, searchSpace=...).validate) == ["search_space"]
    custom = {"className": "a.B", "codeDirectory": "."}
    load(tmp_path, searchSpace=..., tuner=custom).validate()
    load(tmp_path, searchSpace={}, tuner=custom).validate()


def test_2_2_the_tuner_is_needed(tmp_path: Path) -> None:
    config = load(tmp_path, tuner=...)
    with pytest.raises(ValueError, match="ExperimentConfig: tuner must be set"):
        config.validate()


def test_2_2_an_advisor_is_a_tuner(tmp_path: Path) -> None:
    advisor = {"className": "a.B", "codeDirectory": "."}
    written = load(tmp_path, tuner=..., advisor=advisor).json()
    assert written["tuner"]["className"] == "a.B" and "advisor" not in written
    assert paths_of(load(tmp_path, advisor=advisor).validate) == ["advisor"]


def test_2_2_shortcuts_are_for_every_service_that_does_not_say_otherwise(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    written = load(
        tmp_path,
        trialGpuNumber=2,
        debug=True,
        trainingService=[
            {"platform": "local", "useActiveGpu": True},
            {
                "platform": "local",
                "useActiveGpu": True,
                "trialCommand": "b",
                "trialCodeDirectory": "other",
                "trialGpuNumber": 1,
                "debug": False,
            },
        ],
    ).json()["trainingService"]
    home = tmp_path.resolve()
    keys = ("trialCommand", "trialCodeDirectory", "trialGpuNumber", "debug")
    assert [[service[key] for key in keys] for service in written] == [
        ["a", str(home), 2, True],
        ["b", str(home / "other"), 1, False],
    ]


# -- 2.3, algorithms --


def test_2_3_nothing_is_set_at_first() -> None:
    assert AlgorithmConfig().name is None
    assert CustomAlgorithmConfig().code_directory == "."


def test_2_3_r_the_code_directory_may_be_left_out_in_yaml(tmp_path: Path) -> None:
    written = load(tmp_path, tuner={"className": "a.B"}).json()["tuner"]
    assert written == {"className": "a.B", "codeDirectory": str(tmp_path.resolve())}


@pytest.mark.parametrize(
    ("tuner", "path"),
    [
        ({}, "tuner"),
        ({"classArgs": {"a": 1}}, "tuner.name"),
        ({"name": ""}, "tuner.name"),
        ({"name": "TPE", "className": "a.B"}, "tuner.name"),
        ({"name": "TPE", "codeDirectory": "."}, "tuner.code_directory"),
        ({"className": "a.B", "codeDirectory": "no/such"}, "tuner.code_directory"),
        ({"className": "B"}, "tuner.class_name"),
        ({"name": "randomm"}, "tuner.name"),
        ({"name": "TPE", "classArgs": [1]}, "tuner.class_args"),
    ],
)
def test_2_3_what_is_refused(tmp_path: Path, tuner: dict[str, Any], path: str) -> None:
    assert paths_of(lambda: load(tmp_path, tuner=tuner).validate()) == [path]


# -- 2.4, training services --


def test_2_4_a_service_alone_needs_its_command(tmp_path: Path) -> None:
    service = LocalConfig(trial_code_directory=tmp_path)
    assert paths_of(service.validate) == ["trial_command"]
    service.trial_command = "a"
    assert service.json() == {
        "platform": "local",
        "trialCommand": "a",
        "trialCodeDirectory": str(tmp_path.resolve()),
        "debug": False,
        "maxTrialNumberPerGpu": 1,
        "reuseMode": False,
    }


def test_2_4_no_field_of_the_base_class_has_a_value_at_first() -> None:
    config = TrainingServiceConfig()
    assert [getattr(config, name) for name in type(config).model_fields] == [None] * 6


def test_2_4_locally_the_manager_s_address_is_dropped(tmp_path: Path) -> None:
    written = load(tmp_path, nniManagerIp="10.0.0.1").json()
    assert written["nniManagerIp"] == "10.0.0.1"
    assert "nniManagerIp" not in written["trainingService"]


@pytest.mark.parametrize("gpus", [None, 0])
def test_2_4_sharing_a_gpu_needs_a_gpu(tmp_path: Path, gpus: int | None) -> None:
    config = load(
        tmp_path, trialGpuNumber=gpus, trainingService={"platform": "local", "maxTrialNumberPerGpu": 2}
    )
    assert paths_of(config.validate) == ["training_service.max_trial_number_per_gpu"]
