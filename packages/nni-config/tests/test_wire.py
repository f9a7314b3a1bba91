"""Configurations as messages and back."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_config import (
    AlgorithmConfig,
    AmlConfig,
    ConfigBase,
    CustomAlgorithmConfig,
    ExperimentConfig,
    InvalidConfigError,
    LocalConfig,
    OpenpaiConfig,
    RemoteConfig,
    RemoteMachineConfig,
    SharedStorageConfig,
    TrainingServiceConfig,
)
from nni_config.platforms import PLATFORMS
from nni_config.wire import config_from_message, config_to_message
from nni_proto.v1 import experiment_config_pb2 as pb
from nni_proto.v1 import value_pb2 as pb_value

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
int32s = st.integers(1, 2**31 - 1)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
durations = st.sampled_from(["1.5h", "90m", "3s"]) | int32s | st.floats(0.001, 1e6)
objects = st.dictionaries(texts, values, max_size=3)
indices = st.lists(st.integers(0, 100), min_size=1, max_size=3, unique=True)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


algorithms = st.builds(AlgorithmConfig, name=texts, class_args=optional(objects)) | st.builds(
    CustomAlgorithmConfig, class_name=texts, code_directory=st.just("/code"), class_args=optional(objects)
)
local_services = st.builds(
    LocalConfig,
    trial_command=optional(texts),
    trial_code_directory=st.none() | st.just("/code"),
    trial_gpu_number=optional(int32s),
    debug=optional(st.booleans()),
    use_active_gpu=optional(st.booleans()),
    max_trial_number_per_gpu=int32s,
    gpu_indices=optional(indices),
    reuse_mode=st.booleans(),
    trial_concurrency=optional(int32s),
)
sizes = st.sampled_from(["8gb", "1.5 mb"]) | int32s | st.floats(0.001, 1e6)
machines = st.builds(
    RemoteMachineConfig,
    host=texts,
    port=st.integers(1, 65535),
    user=texts,
    password=optional(texts),
    gpu_indices=optional(indices),
    python_path=optional(texts),
    trial_concurrency=optional(int32s),
)
remote_services = st.builds(
    RemoteConfig,
    machine_list=st.lists(machines, min_size=1, max_size=3),
    allow_partial=optional(st.booleans()),
    trial_concurrency=optional(int32s),
    connect_timeout=optional(durations),
    unreachable_limit=optional(durations),
    new_host_keys=optional(st.sampled_from(["accept", "refuse"])),
    outside_links=optional(st.sampled_from(["copy", "refuse"])),
    max_code_size=optional(sizes),
    output_files=optional(st.lists(st.sampled_from(["*", "!a", "plots/**"]), max_size=3)),
    max_output_size=optional(sizes),
    keep_remote_files=optional(st.booleans()),
)
configs = st.builds(
    ExperimentConfig,
    experiment_name=optional(texts),
    search_space_file=st.none() | st.just("/space.json"),
    search_space=values,
    trial_command=optional(texts),
    trial_code_directory=st.just("/code"),
    trial_concurrency=optional(int32s),
    trial_gpu_number=optional(st.integers(0, 100)),
    max_experiment_duration=optional(durations),
    max_trial_number=optional(int32s),
    max_trial_duration=optional(durations),
    nni_manager_ip=optional(texts),
    use_annotation=st.booleans(),
    debug=st.booleans(),
    log_level=optional(st.sampled_from(["fatal", "critical", "info"])),
    experiment_working_directory=st.none() | st.just("/experiments"),
    tuner_gpu_indices=optional(indices),
    tuner=optional(algorithms),
    assessor=optional(algorithms),
    training_service=optional(local_services | remote_services)
    | st.lists(local_services | remote_services, min_size=2, max_size=3),
    optimize_mode=optional(st.sampled_from(["maximize", "minimize"])),
    on_limit=optional(st.sampled_from(["finish", "stop"])),
    trial_stop_signal=optional(st.sampled_from(["SIGINT", "SIGTERM"])),
    trial_stop_grace_period=optional(durations),
    stop_on_early_failures=optional(st.booleans()),
    snapshot_code=optional(st.booleans()),
    max_trial_retries=optional(st.integers(0, 100)),
    max_failed_trial_number=optional(int32s),
    keep_best_checkpoints=optional(int32s),
    keep_last_checkpoints=optional(int32s),
    failed_trial_result=optional(
        st.sampled_from(["ignore", "worst"])
        | st.integers(-(2**60), 2**60)
        | st.floats(allow_nan=False, allow_infinity=False)
    ),
    initial_parameters=optional(st.lists(objects, min_size=1, max_size=3)),
)


@given(configs)
def test_there_and_back_is_equal(config: ExperimentConfig) -> None:
    message = config_to_message(config)
    read = config_from_message(pb.ExperimentConfig.FromString(message.SerializeToString()))
    assert read == config
    # Equality of dicts ignores order, text does not; nor does it take 1 and 1.0 and True for the same.
    assert repr(read) == repr(config)


def test_canonical_yaml_there_and_back_is_equal(valid_config: ExperimentConfig) -> None:
    canonical = valid_config.canonical_copy()
    assert config_from_message(config_to_message(canonical)).json() == canonical.json()


MESSAGES: dict[type[ConfigBase], Any] = {
    SharedStorageConfig: pb.SharedStorageConfig,
    AlgorithmConfig: pb.AlgorithmConfig,
    LocalConfig: pb.LocalConfig,
    RemoteConfig: pb.RemoteConfig,
    RemoteMachineConfig: pb.RemoteMachineConfig,
    OpenpaiConfig: pb.OpenpaiConfig,
    AmlConfig: pb.AmlConfig,
}
# A local trial needs no manager's address; the canonical form never has it.
LEFT_OUT = {LocalConfig: {"nni_manager_ip"}}


def names(message: Any) -> set[str]:
    return set(message.DESCRIPTOR.fields_by_name)


def test_a_field_of_an_experiment_exists_on_both_sides() -> None:
    ours = set(ExperimentConfig.model_fields) - {"advisor", "training_service"}
    assert names(pb.ExperimentConfig) == ours | {"training_services"}


@pytest.mark.parametrize("config_class", MESSAGES)
def test_a_field_exists_on_both_sides(config_class: type[ConfigBase]) -> None:
    # The platform is the name of the oneof's field.
    ours = set(config_class.model_fields) - {"platform"} - LEFT_OUT.get(config_class, set())
    assert names(MESSAGES[config_class]) == ours


def test_the_places_that_have_messages_of_their_own() -> None:
    as_settings = {"dlc", "kubeflow", "frameworkcontroller"}
    assert names(pb.TrainingServiceConfig) == (PLATFORMS.keys() - as_settings) | {"custom"}
    placed = {each.model_fields["platform"].default for each in MESSAGES if "platform" in each.model_fields}
    assert placed == PLATFORMS.keys() - as_settings


@pytest.mark.parametrize("platform", PLATFORMS)
def test_which_message_a_place_travels_as(platform: str) -> None:
    message = config_to_message(ExperimentConfig(platform)).training_services[0]
    has_its_own = platform in message.DESCRIPTOR.fields_by_name
    assert message.WhichOneof("platform") == (platform if has_its_own else "custom")


class _FarConfig(TrainingServiceConfig):
    platform: str = "far"
    server: str
    slots: list[int] = []


def test_a_training_service_of_ones_own_travels_as_settings(valid_config: ExperimentConfig) -> None:
    valid_config.training_service = _FarConfig(server="a", slots=[1, 2])
    canonical = valid_config.canonical_copy()
    message = config_to_message(canonical)
    assert message.training_services[0].custom.platform == "far"
    assert config_from_message(message) == canonical


OTHER_REMOTE = """
from nni_config import ExperimentConfig, RemoteConfig, TrainingServiceConfig
from nni_config.wire import config_from_message, config_to_message

class OtherRemoteConfig(TrainingServiceConfig):
    platform: str = "remote"
    gateway: str

config = ExperimentConfig(training_service=OtherRemoteConfig(gateway="a"))
message = config_to_message(config)
assert message.training_services[0].custom.platform == "remote"
assert config_from_message(message) == config
built_in = ExperimentConfig(training_service=RemoteConfig(machine_list=[{"host": "a", "user": "b"}]))
assert config_from_message(config_to_message(built_in)) == built_in
"""


def test_somebody_elses_class_with_the_name_of_a_built_in_place_travels_as_settings() -> None:
    # In a process of its own, since there the name means another class from then on.
    subprocess.run([sys.executable, "-c", OTHER_REMOTE], check=True)


def test_the_manager_does_not_read_the_search_spaces_file_again(
    valid_config: ExperimentConfig, tmp_path: Path
) -> None:
    path = tmp_path / "space.json"
    path.write_text('{"lr": {"_type": "choice", "_value": [1]}}')
    valid_config.search_space_file = path
    message = config_to_message(valid_config.canonical_copy())
    path.unlink()
    assert config_from_message(message).canonical_copy().search_space == {
        "lr": {"_type": "choice", "_value": [1]}
    }


def test_bad_messages_are_refused() -> None:
    for message, path in (
        (pb.ExperimentConfig(trial_concurrency=-1), "trial_concurrency"),
        (pb.ExperimentConfig(log_level="loud"), "log_level"),
        (pb.ExperimentConfig(tuner_gpu_indices=[1, 1]), "tuner_gpu_indices"),
        (pb.ExperimentConfig(max_trial_retries=-1), "max_trial_retries"),
        (pb.ExperimentConfig(max_failed_trial_number=0), "max_failed_trial_number"),
        (
            pb.ExperimentConfig(initial_parameters=[pb_value.Value(string_value="lr")]),
            "initial_parameters[0]",
        ),
        (pb.ExperimentConfig(max_trial_duration=pb.WrittenDuration(text="soon")), "max_trial_duration"),
        (pb.ExperimentConfig(training_services=[pb.TrainingServiceConfig()]), "training_service.platform"),
        (
            pb.ExperimentConfig(
                training_services=[pb.TrainingServiceConfig(custom=pb.CustomPlatformConfig(platform="mars"))]
            ),
            "training_service.platform",
        ),
        (
            pb.ExperimentConfig(
                training_services=[pb.TrainingServiceConfig(local=pb.LocalConfig(max_trial_number_per_gpu=0))]
            ),
            "training_service.max_trial_number_per_gpu",
        ),
        (
            pb.ExperimentConfig(
                training_services=[
                    pb.TrainingServiceConfig(
                        remote=pb.RemoteConfig(
                            machine_list=[
                                pb.RemoteMachineConfig(host="a"),
                                pb.RemoteMachineConfig(port=0),
                            ]
                        )
                    )
                ]
            ),
            "training_service.machine_list[1].port",
        ),
        (
            pb.ExperimentConfig(
                training_services=[
                    pb.TrainingServiceConfig(
                        openpai=pb.OpenpaiConfig(trial_memory_size=pb.WrittenMemorySize(text="much"))
                    )
                ]
            ),
            "training_service.trial_memory_size",
        ),
    ):
        with pytest.raises(InvalidConfigError) as error:
            config_from_message(message)
        assert str(error.value).startswith(path)


def test_an_empty_message_is_an_empty_configuration() -> None:
    assert config_from_message(pb.ExperimentConfig()) == ExperimentConfig()
