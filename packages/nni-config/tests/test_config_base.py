"""What every configuration class does."""

import copy
import pickle
from pathlib import Path

import pytest
from nni_config import (
    AlgorithmConfig,
    ConfigBase,
    CustomAlgorithmConfig,
    ExperimentConfig,
    InvalidConfigError,
    LocalConfig,
    TrainingServiceConfig,
    UnknownFieldError,
)


@pytest.mark.parametrize(
    "config_class", [ExperimentConfig, AlgorithmConfig, CustomAlgorithmConfig, LocalConfig]
)
def test_every_class_can_be_built_empty(config_class: type[ConfigBase]) -> None:
    config_class()


@pytest.mark.parametrize("name", ["trial_command", "trialCommand", "TRIALCOMMAND", "_Trial__Command_"])
def test_names_of_arguments_ignore_case_and_underscores(name: str) -> None:
    assert ExperimentConfig(**{name: "python3 a.py"}).trial_command == "python3 a.py"


def test_arguments_are_by_name_only() -> None:
    with pytest.raises(TypeError):
        AlgorithmConfig("TPE")


def test_an_unknown_argument_is_an_attribute_error_that_guesses() -> None:
    with pytest.raises(AttributeError, match="did you mean trial_concurrency") as error:
        ExperimentConfig(trial_concurency=2)
    assert isinstance(error.value, ValueError)


def test_every_problem_of_the_arguments_is_told_at_once() -> None:
    with pytest.raises(UnknownFieldError) as error:
        ExperimentConfig(no_such=1, trial_concurrency="two", log_level="loud", tuner={"nname": "TPE"})
    paths = {problem.path for problem in error.value.problems}
    assert paths == {("no_such",), ("trial_concurrency",), ("log_level",), ("tuner", "nname")}


def test_the_same_field_in_two_spellings_is_refused() -> None:
    with pytest.raises(InvalidConfigError, match="given twice"):
        ExperimentConfig(trial_command="a", trialCommand="b")


def test_assigning_to_an_unknown_attribute_guesses() -> None:
    config = ExperimentConfig()
    with pytest.raises(
        AttributeError, match="ExperimentConfig does not have field max_trial_num; did you mean"
    ):
        config.max_trial_num = 3
    with pytest.raises(AttributeError, match=r"training_service\.use_active_gpu"):
        config.use_active_gpu = True


def test_reading_an_unknown_attribute_guesses() -> None:
    with pytest.raises(AttributeError, match="did you mean trial_command"):
        ExperimentConfig().trial_comand  # noqa: B018
    assert not hasattr(ExperimentConfig(), "__no_such__")


def test_assigning_checks_that_one_value_only() -> None:
    config = ExperimentConfig()
    config.max_trial_number = 3
    with pytest.raises(InvalidConfigError) as error:
        config.max_trial_number = 0
    assert [problem.path for problem in error.value.problems] == [("max_trial_number",)]
    assert config.max_trial_number == 3


@pytest.mark.parametrize("value", [True, "3", 2.5, 0, -1, 2**31, [3], float("nan")])
def test_what_is_no_positive_number_is_refused(value: object) -> None:
    with pytest.raises(InvalidConfigError, match="allowed is"):
        ExperimentConfig(trial_concurrency=value)


def test_none_is_the_same_as_not_set() -> None:
    config = ExperimentConfig(trial_concurrency=None, tuner=None, debug=None)
    assert config == ExperimentConfig(debug=None)
    config.trial_concurrency = 3
    config.trial_concurrency = None
    assert config.trial_concurrency is None


def test_dicts_become_nested_configurations() -> None:
    config = ExperimentConfig("local")
    config.tuner = {"name": "TPE", "classArgs": {"seed": 1}}
    assert config.tuner == AlgorithmConfig(name="TPE", class_args={"seed": 1})
    config.training_service = {"platform": "local", "useActiveGpu": False}
    assert config.training_service == LocalConfig(use_active_gpu=False)
    config.assessor = {"className": "a.B"}
    assert config.assessor == CustomAlgorithmConfig(class_name="a.B")


def test_changes_inside_dicts_and_lists_are_seen(valid_config: ExperimentConfig) -> None:
    arguments = {"optimize_mode": "maximize"}
    space = {"x": {"_type": "uniform", "_value": [0, 1]}}
    valid_config.tuner.class_args = arguments
    valid_config.search_space = space
    arguments["seed"] = 3
    space["y"] = {"_type": "choice", "_value": ["a"]}
    written = valid_config.json()
    assert written["tuner"]["classArgs"] == {"optimize_mode": "maximize", "seed": 3}
    assert list(written["searchSpace"]) == ["x", "y"]


def test_wrong_changes_inside_are_found_when_the_whole_is_checked(valid_config: ExperimentConfig) -> None:
    assert isinstance(valid_config.training_service, LocalConfig)
    valid_config.training_service.gpu_indices = [0, 1]
    valid_config.training_service.gpu_indices.append(1)
    assert valid_config.tuner.class_args is not None
    valid_config.tuner.class_args["model"] = object()
    with pytest.raises(InvalidConfigError) as error:
        valid_config.validate()
    paths = {problem.path for problem in error.value.problems}
    assert paths == {("training_service", "gpu_indices"), ("tuner", "class_args", "model")}


def test_the_canonical_copy_shares_nothing(valid_config: ExperimentConfig) -> None:
    canonical = valid_config.canonical_copy()
    canonical.search_space["x"]["_value"].append(7)
    assert canonical.tuner.class_args is not None
    canonical.tuner.class_args["seed"] = 1
    canonical.training_service.trial_command = "other"
    assert valid_config.search_space["x"]["_value"] == [0, 1]
    assert valid_config.tuner.class_args == {}
    assert valid_config.training_service.trial_command is None


def test_the_canonical_form_of_the_canonical_form_is_the_same(valid_config: ExperimentConfig) -> None:
    canonical = valid_config.canonical_copy()
    assert canonical.canonical_copy() == canonical
    assert ExperimentConfig(**valid_config.json()).json() == valid_config.json()


def test_equality_is_by_fields(
    valid_config: ExperimentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert AlgorithmConfig(name="TPE") == AlgorithmConfig(name="TPE")
    assert AlgorithmConfig(name="TPE") != AlgorithmConfig(name="Random")
    assert AlgorithmConfig(name="TPE") != {"name": "TPE"}
    for made in (copy.deepcopy(valid_config), pickle.loads(pickle.dumps(valid_config))):
        assert made == valid_config
        assert made.json() == valid_config.json()


def test_relative_paths_are_relative_to_where_the_configuration_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "code").mkdir()
    monkeypatch.chdir(tmp_path)
    config = LocalConfig(trial_command="a", trial_code_directory="code")
    monkeypatch.chdir("/")
    assert config.json()["trialCodeDirectory"] == str((tmp_path / "code").resolve())


def test_home_and_links_in_paths_are_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.setenv("HOME", str(tmp_path))
    config = LocalConfig(trial_command="a", trial_code_directory="~/link")
    assert config.json()["trialCodeDirectory"] == str((tmp_path / "real").resolve())


def test_a_number_is_text_where_text_is_expected() -> None:
    assert ExperimentConfig(experiment_name=12).experiment_name == "12"
    with pytest.raises(InvalidConfigError, match="not text"):
        ExperimentConfig(experiment_name=True)


def test_numpy_numbers_are_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    config = ExperimentConfig(trial_concurrency=numpy.int64(3), max_trial_duration=numpy.float64(1.5))
    assert type(config.trial_concurrency) is int
    assert type(config.max_trial_duration) is float


class _ClusterMachine(ConfigBase):
    host: str
    port: int = 22


class _ClusterConfig(TrainingServiceConfig):
    platform: str = "cluster"
    server: str
    machines: list[_ClusterMachine] = []
    key_file: Path | None = None

    def _canonicalize(self, parents: list[ConfigBase]) -> None:
        assert isinstance(parents[0], ExperimentConfig)
        self.server = self.server and self.server.lower()
        super()._canonicalize(parents)

    def _validate_canonical(self) -> None:
        super()._validate_canonical()
        if self.server == "forbidden":
            raise ValueError("this server is not allowed")


def test_a_training_service_of_ones_own(valid_config: ExperimentConfig) -> None:
    valid_config.training_service = {
        "platform": "cluster",
        "server": "HOST",
        "machines": [{"host": "a"}, {"Host": "b", "port": 2}],
    }
    assert isinstance(valid_config.training_service, _ClusterConfig)
    written = valid_config.json()["trainingService"]
    assert written["server"] == "host"
    assert written["machines"] == [{"host": "a", "port": 22}, {"host": "b", "port": 2}]
    assert written["trialCommand"] == valid_config.trial_command


def test_problems_of_a_training_service_of_ones_own(valid_config: ExperimentConfig) -> None:
    valid_config.training_service = _ClusterConfig(server="forbidden")
    with pytest.raises(InvalidConfigError, match="training_service: this server is not allowed"):
        valid_config.validate()
    valid_config.training_service = _ClusterConfig()
    with pytest.raises(InvalidConfigError, match=r"training_service\.server: it is not set"):
        valid_config.validate()
    with pytest.raises(AttributeError, match=r"machines\[1\]\.hosst.*did you mean host") as error:
        _ClusterConfig(machines=[{"host": "a"}, {"hosst": "b"}, {"port": "x"}])
    assert error.value.problems[-1].path == ("machines", 2, "port")


def test_a_placeholder_that_is_not_filled_in_is_named(valid_config: ExperimentConfig) -> None:
    valid_config.experiment_name = "${your name}"
    valid_config.trial_command = "echo ${HOME}"
    with pytest.raises(InvalidConfigError) as error:
        valid_config.validate()
    assert [problem.path for problem in error.value.problems] == [("experiment_name",)]
