"""Rules of an experiment's configuration."""

from pathlib import Path
from typing import Any

import pytest
from nni_config import (
    AlgorithmConfig,
    CustomAlgorithmConfig,
    ExperimentConfig,
    InvalidConfigError,
    LocalConfig,
)


def problems_of(config: ExperimentConfig) -> dict[str, str]:
    try:
        config.validate()
    except InvalidConfigError as error:
        return {str(problem).split(":")[0]: problem.message for problem in error.problems}
    return {}


def golden(code_directory: Path, tuner: dict[str, Any]) -> dict[str, Any]:
    return {
        "experimentType": "hpo",
        "searchSpace": {"x": {"_type": "uniform", "_value": [0, 1]}},
        "trialCommand": "python3 trial.py",
        "trialCodeDirectory": str(code_directory.resolve()),
        "trialConcurrency": 2,
        "useAnnotation": False,
        "debug": False,
        "logLevel": "info",
        "experimentWorkingDirectory": str((Path.home() / "nni-experiments").resolve()),
        "tuner": tuner,
        "trainingService": {
            "platform": "local",
            "trialCommand": "python3 trial.py",
            "trialCodeDirectory": str(code_directory.resolve()),
            "debug": False,
            "maxTrialNumberPerGpu": 1,
            "reuseMode": False,
        },
    }


def test_json_of_the_template_is_as_nni_has_it(valid_config: ExperimentConfig, code_directory: Path) -> None:
    written = valid_config.json()
    expected = golden(code_directory, {"name": "Random", "classArgs": {}})
    assert written == expected
    assert list(written) == list(expected)
    assert list(written["trainingService"]) == list(expected["trainingService"])


def test_json_of_keywords_is_as_nni_has_it(code_directory: Path) -> None:
    config = ExperimentConfig(
        search_space={"x": {"_type": "uniform", "_value": [0, 1]}},
        trial_command="python3 trial.py",
        trial_code_directory=str(code_directory),
        trial_concurrency=2,
        tuner=AlgorithmConfig(name="Random"),
        training_service=LocalConfig(),
    )
    assert config.json() == golden(code_directory, {"name": "Random"})


def test_the_script_of_nnis_documentation(valid_config: ExperimentConfig) -> None:
    valid_config.experiment_name = "digits"
    valid_config.max_trial_number = 20
    valid_config.max_experiment_duration = "1h"
    valid_config.tuner.name = "TPE"
    valid_config.tuner.class_args["optimize_mode"] = "maximize"
    valid_config.training_service.use_active_gpu = True
    written = valid_config.json()
    assert written["trainingService"]["useActiveGpu"] is True
    assert written["maxExperimentDuration"] == "1h"


def test_nothing_is_set_and_everything_needed_is_named() -> None:
    assert set(problems_of(ExperimentConfig())) == {"trial_concurrency", "tuner", "training_service"}
    assert set(problems_of(ExperimentConfig("local"))) == {"trial_command", "trial_concurrency", "tuner"}


@pytest.mark.parametrize("command", [None, "", "   "])
def test_a_trial_command_is_needed(valid_config: ExperimentConfig, command: str | None) -> None:
    valid_config.trial_command = command
    assert "python3 train.py" in problems_of(valid_config)["trial_command"]


def test_a_trial_command_may_stand_in_the_training_service(valid_config: ExperimentConfig) -> None:
    valid_config.trial_command = None
    valid_config.training_service.trial_command = "./run"
    assert valid_config.json()["trainingService"]["trialCommand"] == "./run"
    assert "trialCommand" not in valid_config.json()


def test_a_missing_code_directory_is_named_where_it_was_written(valid_config: ExperimentConfig) -> None:
    valid_config.trial_code_directory = "/no/such/folder"
    assert "is not a directory" in problems_of(valid_config)["trial_code_directory"]
    valid_config.trial_code_directory = "/"
    valid_config.training_service.trial_code_directory = "/no/such"
    assert "is not a directory" in problems_of(valid_config)["training_service.trial_code_directory"]


def test_a_search_space_is_needed_for_built_in_tuners_only(
    valid_config: ExperimentConfig, code_directory: Path
) -> None:
    valid_config.search_space = None
    wanted = "one of search_space and search_space_file must be set"
    assert problems_of(valid_config)["search_space"] == wanted
    valid_config.tuner = CustomAlgorithmConfig(class_name="mine.Tuner", code_directory=code_directory)
    assert problems_of(valid_config) == {}


@pytest.mark.parametrize("space", [{}, {"x": {"_type": "mine"}}, [1, 2], "text", {"a": 3}])
def test_a_tuner_of_ones_own_takes_any_search_space(
    valid_config: ExperimentConfig, code_directory: Path, space: object
) -> None:
    valid_config.tuner = CustomAlgorithmConfig(class_name="mine.Tuner", code_directory=code_directory)
    valid_config.search_space = space
    assert valid_config.json()["searchSpace"] == space


def test_what_looks_standard_is_checked_as_a_warning_for_a_tuner_of_ones_own(
    valid_config: ExperimentConfig, code_directory: Path
) -> None:
    valid_config.tuner = CustomAlgorithmConfig(class_name="mine.Tuner", code_directory=code_directory)
    valid_config.search_space = {"x": {"_type": "uniform", "_value": [2, 1]}}
    assert valid_config.canonical_copy().warnings() == [
        "search_space.x._value: low 2 is above high 1; allowed is [low, high] with low first"
    ]
    valid_config.search_space = [1]
    assert valid_config.canonical_copy().warnings() == []


def test_a_bad_search_space_is_refused_with_its_path(valid_config: ExperimentConfig) -> None:
    valid_config.search_space = {
        "layer": {"_type": "choice", "_value": [{"_name": "a", "k": {"_type": "x"}}]}
    }
    assert list(problems_of(valid_config)) == ["search_space.layer._value[0].k._type"]


def test_names_of_algorithms(valid_config: ExperimentConfig) -> None:
    for name in ("TPE", "tpe", "Random", "GRIDSEARCH", "GPTuner", "pbttuner"):
        valid_config.tuner.name = name
        assert problems_of(valid_config) == {}
    valid_config.tuner.name = "GridSerch"
    assert "did you mean 'GridSearch'" in problems_of(valid_config)["tuner.name"]
    valid_config.tuner.name = "PPOTuner"
    problem = problems_of(valid_config)["tuner.name"]
    assert "belongs to architecture search, which is not part of this product; available: TPE" in problem
    valid_config.tuner.name = "Random"
    valid_config.assessor = AlgorithmConfig(name="medianstop")
    assert problems_of(valid_config) == {}
    valid_config.assessor.name = "PPOTuner"
    assert (
        "there is no assessor 'PPOTuner'; available: Medianstop" in problems_of(valid_config)["assessor.name"]
    )


def test_arguments_without_a_name_are_not_lost(valid_config: ExperimentConfig) -> None:
    valid_config.assessor.class_args["start_step"] = 3
    assert set(problems_of(valid_config)) == {"assessor.name"}


def test_a_class_of_ones_own(valid_config: ExperimentConfig, code_directory: Path, monkeypatch: Any) -> None:
    valid_config.tuner = {"className": "mine.Tuner", "codeDirectory": str(code_directory)}
    assert valid_config.json()["tuner"] == {
        "className": "mine.Tuner",
        "codeDirectory": str(code_directory.resolve()),
    }
    monkeypatch.chdir(code_directory)
    valid_config.tuner = {"className": "mine.Tuner", "classArgs": {"a": None}}
    assert valid_config.json()["tuner"] == {
        "className": "mine.Tuner",
        "codeDirectory": str(code_directory.resolve()),
        "classArgs": {"a": None},
    }


def test_the_template_may_name_a_class_of_ones_own(valid_config: ExperimentConfig) -> None:
    valid_config.tuner.name = None
    valid_config.tuner.class_name = "mine.Tuner"
    canonical = valid_config.canonical_copy()
    assert isinstance(canonical.tuner, CustomAlgorithmConfig)
    assert canonical.tuner.code_directory == str(Path.cwd())


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"class_name": "Tuner"}, "tuner.class_name"),
        ({"class_name": "a b.Tuner"}, "tuner.class_name"),
        ({"class_name": "mine.Tuner", "name": "TPE"}, "tuner.name"),
        ({"class_name": "mine.Tuner", "code_directory": "/no/such"}, "tuner.code_directory"),
        ({"name": "TPE", "code_directory": "/"}, "tuner.code_directory"),
        ({"code_directory": "/", "class_args": {"a": 1}}, "tuner.name"),
    ],
)
def test_contradicting_fields_of_algorithms(
    valid_config: ExperimentConfig, fields: dict[str, Any], path: str
) -> None:
    valid_config.tuner = AlgorithmConfig(**fields)
    assert path in problems_of(valid_config)


def test_what_is_no_algorithm_is_refused_clearly(valid_config: ExperimentConfig) -> None:
    class MyTuner:
        pass

    with pytest.raises(ValueError, match=r"an instance of .*MyTuner is no algorithm, .*CustomAlgorithmConf"):
        valid_config.tuner = MyTuner()
    with pytest.raises(ValueError, match="'TPE' is not an algorithm; allowed is AlgorithmConfig"):
        valid_config.tuner = "TPE"


def test_the_advisor_is_the_tuner(valid_config: ExperimentConfig, code_directory: Path) -> None:
    advisor = CustomAlgorithmConfig(class_name="mine.Advisor", code_directory=code_directory)
    valid_config.advisor = advisor
    assert "beside tuner" in problems_of(valid_config)["advisor"]
    valid_config.tuner = None
    written = valid_config.json()
    assert written["tuner"]["className"] == "mine.Advisor"
    assert "advisor" not in written


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("pai", "it is called openpai now"),
        ("hybrid", "write a list"),
        ("adl", "AdaptDL was removed"),
    ],
)
def test_names_that_are_no_platform_say_what_to_do(name: str, advice: str) -> None:
    for build in (
        lambda: ExperimentConfig(name),
        lambda: ExperimentConfig(["local", name]),
        lambda: ExperimentConfig(training_service={"platform": name}),
    ):
        with pytest.raises(ValueError, match=f"'{name}' is not a platform; {advice}.*available: local"):
            build()


def test_a_platform_must_be_named() -> None:
    with pytest.raises(ValueError, match=r"'locl' is not a platform \(did you mean 'local'\?\)"):
        ExperimentConfig("locl")
    with pytest.raises(ValueError, match=r"training_service\.platform: it is not set"):
        ExperimentConfig(training_service={"useActiveGpu": True})
    with pytest.raises(ValueError, match="'local' is not a training service"):
        ExperimentConfig(training_service="local")


def test_a_list_of_one_training_service_is_that_one(valid_config: ExperimentConfig) -> None:
    expected = valid_config.json()
    valid_config.training_service = [LocalConfig()]
    assert valid_config.json() == expected
    valid_config.training_service = [LocalConfig(), LocalConfig()]
    valid_config.training_service.append({"platform": "local"})
    assert valid_config.json()["trainingService"] == [expected["trainingService"]] * 3
    valid_config.training_service = []
    assert "not set" in problems_of(valid_config)["training_service"]


@pytest.mark.parametrize(
    ("trial_gpu_number", "service", "wrong"),
    [
        (None, {"use_active_gpu": True}, None),
        (0, {"use_active_gpu": True}, None),
        (1, {"use_active_gpu": True}, None),
        (1, {"use_active_gpu": False, "max_trial_number_per_gpu": 3}, None),
        (1, {}, "training_service.use_active_gpu"),
        (None, {"max_trial_number_per_gpu": 2}, "training_service.max_trial_number_per_gpu"),
        (0, {"max_trial_number_per_gpu": 2}, "training_service.max_trial_number_per_gpu"),
    ],
)
def test_gpus_on_this_machine(
    valid_config: ExperimentConfig, trial_gpu_number: int | None, service: dict[str, Any], wrong: str | None
) -> None:
    valid_config.trial_gpu_number = trial_gpu_number
    valid_config.training_service = LocalConfig(**service)
    assert list(problems_of(valid_config)) == ([wrong] if wrong else [])


@pytest.mark.parametrize(
    ("written", "indices"),
    [("0,1", [0, 1]), (" 2 , 0", [2, 0]), (3, [3]), ([0, 2], [0, 2]), ((1,), [1]), ("1", [1])],
)
def test_gpu_indices(written: object, indices: list[int]) -> None:
    assert LocalConfig(gpu_indices=written).gpu_indices == indices
    assert ExperimentConfig(tuner_gpu_indices=written).tuner_gpu_indices == indices


@pytest.mark.parametrize(
    "written", ["", "a", "0;1", [0, 0], "1,1", -1, [0, -2], 1.5, [True], {}, "0,", [2**31]]
)
def test_bad_gpu_indices(written: object) -> None:
    with pytest.raises(InvalidConfigError, match="GPU"):
        LocalConfig(gpu_indices=written)


def test_no_gpu_indices_are_the_same_as_none_set(valid_config: ExperimentConfig) -> None:
    valid_config.tuner_gpu_indices = []
    valid_config.training_service = LocalConfig(gpu_indices=[])
    assert "tunerGpuIndices" not in valid_config.json()
    assert "gpuIndices" not in valid_config.json()["trainingService"]


@pytest.mark.parametrize("level", ["fatal", "critical", "error", "warning", "info", "debug", "trace"])
def test_log_levels(valid_config: ExperimentConfig, level: str) -> None:
    valid_config.log_level = level
    valid_config.debug = True
    assert valid_config.json()["logLevel"] == level


def test_debug_sets_the_level_where_none_is_named(valid_config: ExperimentConfig) -> None:
    valid_config.debug = True
    assert valid_config.json()["logLevel"] == "debug"
    assert valid_config.json()["trainingService"]["debug"] is True


@pytest.mark.parametrize("name", ["max_experiment_duration", "max_trial_duration", "trial_stop_grace_period"])
def test_durations_stay_as_written(valid_config: ExperimentConfig, name: str) -> None:
    for written in ("1.5h", "90m", 60, 0.5):
        setattr(valid_config, name, written)
        assert getattr(valid_config.canonical_copy(), name) == written
    for wrong in (0, -5, "-1s", "1 hour", "60", "h", True, [], float("inf")):
        with pytest.raises(InvalidConfigError, match=name):
            setattr(valid_config, name, wrong)


def test_annotations_are_refused_with_the_way_out(valid_config: ExperimentConfig) -> None:
    valid_config.use_annotation = True
    assert "get_next_parameter" in problems_of(valid_config)["use_annotation"]


def test_other_kinds_of_experiments_are_refused() -> None:
    with pytest.raises(ValueError, match="'nas' is not allowed; allowed is 'hpo'"):
        ExperimentConfig(experimentType="nas")


def test_what_is_not_there_yet_says_so() -> None:
    with pytest.raises(AttributeError, match="write trainingService"):
        ExperimentConfig(trainingServicePlatform="local")


def test_our_own_fields_are_checked_and_kept(valid_config: ExperimentConfig) -> None:
    valid_config.optimize_mode = "minimize"
    valid_config.on_limit = "stop"
    valid_config.trial_stop_signal = "SIGTERM"
    valid_config.stop_on_early_failures = False
    valid_config.snapshot_code = True
    written = valid_config.json()
    assert {key: written[key] for key in ("optimizeMode", "onLimit", "trialStopSignal", "snapshotCode")} == {
        "optimizeMode": "minimize",
        "onLimit": "stop",
        "trialStopSignal": "SIGTERM",
        "snapshotCode": True,
    }
    assert written["stopOnEarlyFailures"] is False
    for name, wrong in (("on_limit", "kill"), ("trial_stop_signal", "SIGFOO"), ("snapshot_code", "maybe")):
        with pytest.raises(InvalidConfigError, match="allowed is"):
            setattr(valid_config, name, wrong)


def test_a_search_space_file(valid_config: ExperimentConfig, tmp_path: Path) -> None:
    (tmp_path / "space.json").write_text('{"lr": {"_type": "loguniform", "_value": [1e-5, 1]}}')
    (tmp_path / "space.yml").write_text("lr: {_type: loguniform, _value: [1e-5, 1]}  # a comment\n")
    for name in ("space.json", "space.yml"):
        valid_config.search_space_file = tmp_path / name
        canonical = valid_config.canonical_copy()
        assert canonical.search_space == {"lr": {"_type": "loguniform", "_value": [1e-5, 1]}}
        assert canonical.warnings() == ["search_space: search_space_file is set too, and wins"]
        assert valid_config.search_space == {"x": {"_type": "uniform", "_value": [0, 1]}}


def test_a_search_space_file_is_read_once(valid_config: ExperimentConfig, tmp_path: Path) -> None:
    path = tmp_path / "space.json"
    path.write_text('{"lr": {"_type": "choice", "_value": [1]}}')
    valid_config.search_space_file = path
    canonical = valid_config.canonical_copy()
    path.unlink()
    canonical.search_space["lr"]["_value"] = [2]
    assert canonical.json()["searchSpace"] == {"lr": {"_type": "choice", "_value": [2]}}


def test_problems_of_a_search_space_file(valid_config: ExperimentConfig, tmp_path: Path) -> None:
    path = tmp_path / "space.json"
    valid_config.search_space_file = path
    assert f'Failed to load search space file "{path}"' in problems_of(valid_config)["search_space_file"]
    path.write_bytes(b'{"x": "\xff"}')
    assert "not UTF-8" in problems_of(valid_config)["search_space_file"]
    path.write_text('{"x": [')
    assert "not JSON" in problems_of(valid_config)["search_space_file"]
    path.write_text('{\n "x": {\n  "_type": "choice",\n  "_value": []}}')
    with pytest.raises(InvalidConfigError, match=r"space\.json:4: x\._value: it is empty"):
        valid_config.validate()


def test_the_manager_s_address_is_not_needed_here(valid_config: ExperimentConfig) -> None:
    valid_config.nni_manager_ip = "10.0.0.1"
    canonical = valid_config.canonical_copy()
    assert canonical.warnings() == [
        "nni_manager_ip: it is not needed for trials on this machine or over SSH, and not used"
    ]
    assert canonical.training_service.nni_manager_ip is None


@pytest.mark.parametrize(
    "wrong", [5, 1.5, True, b"local", {"local": 1}, [5], ["local", None], LocalConfig()], ids=repr
)
def test_what_is_not_the_name_of_a_platform_is_refused(wrong):
    with pytest.raises(InvalidConfigError, match="is not a platform"):
        ExperimentConfig(wrong)
