"""Whatever is given, the answer is a configuration or one InvalidConfigError."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nni_config import (
    ExperimentConfig,
    InvalidConfigError,
    SharedStorageConfig,
    TrainingServiceConfig,
    check_search_space,
    search_space_warnings,
)
from nni_config.algorithm import AlgorithmConfig
from nni_config.fields import field_kinds
from nni_config.local import LocalConfig
from nni_config.platforms import PLATFORMS
from nni_config.training_service import training_service_class

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(
        ["choice", "uniform", "randint", "local", "TPE", "~nobody/x", "a\0b", "1h", "${x}", "0,1", "\ud800"]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["_type", "_value", "_name", "name", "className", "platform", "gpuIndices"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
field_names = st.sampled_from(
    [*ExperimentConfig.model_fields, *AlgorithmConfig.model_fields, *LocalConfig.model_fields]
)


def accepted_or_refused(call: Any) -> Any:
    try:
        return call()
    except InvalidConfigError as error:
        assert error.problems
        assert all(str(problem).strip() for problem in error.problems)
        return None


@given(st.dictionaries(field_names, anything, max_size=4), anything, anything)
def test_any_values_of_fields(fields: dict[str, Any], tuner: Any, service: Any) -> None:
    complete = {
        "trialCommand": "a",
        "trialConcurrency": 1,
        "tuner": tuner,
        "trainingService": service,
    } | fields
    config = accepted_or_refused(lambda: ExperimentConfig(**complete))
    if config is not None:
        accepted_or_refused(config.json)
        config.warnings()


@given(anything, anything)
def test_any_values_where_the_rest_is_right(tuner: Any, service: Any) -> None:
    for fields in (
        {"tuner": {"name": "TPE", "class_args": tuner}},
        {"search_space": tuner},
        {"tuner": tuner},
    ):
        config = accepted_or_refused(
            lambda fields=fields: ExperimentConfig("local", trial_command="a", trial_concurrency=1, **fields)
        )
        if config is not None:
            accepted_or_refused(config.json)
            config.warnings()


SERVICES = [training_service_class(platform) for platform in PLATFORMS]


@pytest.mark.parametrize("config_class", SERVICES, ids=PLATFORMS)
def test_any_values_of_a_training_service(config_class: type[TrainingServiceConfig]) -> None:
    inner = [
        kind.config_class.model_fields for kind in field_kinds(config_class).values() if kind.config_class
    ]
    keys = st.sampled_from([name for fields in inner for name in fields] or ["a"])
    parts = st.dictionaries(keys, anything, max_size=4)
    names = st.sampled_from(list(config_class.model_fields))

    @given(st.dictionaries(names, anything | parts | st.lists(parts, max_size=2), max_size=5))
    def any_values(fields: dict[str, Any]) -> None:
        platform = config_class.model_fields["platform"].default
        service = fields | {"platform": platform}
        config = accepted_or_refused(
            lambda: ExperimentConfig(trial_command="a", trial_concurrency=1, training_service=service)
        )
        if config is not None:
            accepted_or_refused(config.json)
            config.warnings()
            repr(config)

    any_values()


@given(anything, st.dictionaries(st.sampled_from(list(SharedStorageConfig.model_fields)), anything))
def test_any_shared_storage(value: Any, fields: dict[str, Any]) -> None:
    for kind in ("NFS", "AzureBlob", value):
        storage = fields | {"storage_type": kind}
        config = accepted_or_refused(lambda storage=storage: ExperimentConfig(shared_storage=storage))
        if config is not None:
            accepted_or_refused(config.json)


@given(st.text(max_size=12) | st.text(st.sampled_from("a1.:-_@/[]% \t\u00e4\u3002\ud800"), max_size=12))
def test_any_host(host: str) -> None:
    config = accepted_or_refused(lambda: ExperimentConfig("aml", nni_manager_ip=host))
    if config is not None:
        accepted_or_refused(config.json)


@pytest.mark.parametrize(
    "name", ["trial_code_directory", "search_space_file", "experiment_working_directory"]
)
def test_a_path_that_is_too_long(valid_config: ExperimentConfig, name: str) -> None:
    setattr(valid_config, name, "x" * 5000)
    accepted_or_refused(valid_config.json)
    valid_config.training_service = {"platform": "remote", "machineList": [{"sshKeyFile": "x" * 5000}]}
    accepted_or_refused(valid_config.json)


@given(anything | st.dictionaries(st.text(max_size=3), anything, max_size=3))
def test_any_search_space(space: Any) -> None:
    assert all(check_search_space(space))
    assert all(search_space_warnings(space))


@given(st.dictionaries(field_names | st.text(max_size=4), anything, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_mapping_in_a_file(tmp_path: Path, mapping: dict[str, Any]) -> None:
    path = tmp_path / "exp.yml"
    path.write_text(json.dumps(mapping))
    config = accepted_or_refused(lambda: ExperimentConfig.load(path))
    if config is not None:
        accepted_or_refused(config.json)


@given(st.text(st.sampled_from("ab:-?[]{},&*!|>'\"%@`#<\n\t 0"), max_size=40) | st.binary(max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "exp.yml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    accepted_or_refused(lambda: ExperimentConfig.load(path))


@pytest.mark.parametrize("path", ["~no-such-user/x", "a\0b"])
@pytest.mark.parametrize(
    "name", ["trial_code_directory", "experiment_working_directory", "search_space_file"]
)
def test_paths_that_cannot_be(valid_config: ExperimentConfig, name: str, path: str) -> None:
    with pytest.raises(InvalidConfigError, match=name):
        setattr(valid_config, name, path)
        valid_config.validate()


def test_text_that_no_program_can_be_given(valid_config: ExperimentConfig) -> None:
    with pytest.raises(InvalidConfigError, match=r"trial_command: .* null"):
        valid_config.trial_command = "echo a\0b"
