"""Secrets are not recorded: what a configuration lacks of them is named, and taken from the environment."""

from __future__ import annotations

import pytest
from nni_config import ExperimentConfig, RemoteConfig, RemoteMachineConfig, TrainingServiceConfig
from nni_config.fields import SecretText
from nni_config.secret_fields import missing_secrets, secret_fields, take_secrets_from_environment
from nni_config.wire import config_from_message, config_to_message

WORD = "never-to-be-seen"


class SafeConfig(TrainingServiceConfig):
    """A place of somebody else's with a secret that must be set and one that need not."""

    platform: str = "safe-of-this-test"
    combination: SecretText
    second_key: SecretText | None = None


def config(tmp_path, **fields):
    return ExperimentConfig(
        trial_command="true",
        trial_code_directory=tmp_path,
        trial_concurrency=1,
        search_space={"x": {"_type": "uniform", "_value": [0, 1]}},
        tuner={"name": "Random"},
        **fields,
    )


def recorded(original):
    """Returns a configuration as a record has it."""
    message = config_to_message(original.canonical_copy())
    read = config_from_message(message)
    for field in secret_fields(read):
        setattr(field.owner, field.path[-1], None)
    return read


def remote(**machine):
    return RemoteConfig(machine_list=[RemoteMachineConfig(host="a", user="b", **machine)])


def test_an_algorithm_has_a_secret_only_where_it_is_served(tmp_path, monkeypatch):
    given = config(tmp_path)
    assert secret_fields(given) == []
    given.tuner = {"endpoint": "127.0.0.1:5000"}
    assert [field.environment_variable for field in secret_fields(given)] == ["NNI_SECRET_TUNER_TOKEN"]
    assert take_secrets_from_environment(given, {"NNI_SECRET_TUNER_TOKEN": "abc"})
    assert given.tuner.token == "abc"
    assert "abc" not in repr(given) and "abc" not in str(given.to_dict())
    # It need not be set, so that it is not said to be what lacks where something else is wrong.
    given.tuner = {"endpoint": "127.0.0.1:5000", "caFile": "/no/such"}
    assert missing_secrets(given) == []


def test_every_secret_is_found_with_its_variable(tmp_path):
    services = [SafeConfig(), remote()]
    found = {
        it.text: it.environment_variable for it in secret_fields(config(tmp_path, training_service=services))
    }
    assert found == {
        "training_service[0].combination": "NNI_SECRET_TRAINING_SERVICE_0_COMBINATION",
        "training_service[0].second_key": "NNI_SECRET_TRAINING_SERVICE_0_SECOND_KEY",
        "training_service[1].machine_list[0].password": (
            "NNI_SECRET_TRAINING_SERVICE_1_MACHINE_LIST_0_PASSWORD"
        ),
        "training_service[1].machine_list[0].ssh_passphrase": (
            "NNI_SECRET_TRAINING_SERVICE_1_MACHINE_LIST_0_SSH_PASSPHRASE"
        ),
    }


def test_a_resumed_configuration_names_what_it_lacks_and_takes_it_from_the_environment(tmp_path, monkeypatch):
    original = config(tmp_path, training_service=SafeConfig(combination=WORD, second_key="k"))
    read = recorded(original)
    assert [it.text for it in missing_secrets(read)] == ["training_service.combination"]
    monkeypatch.setenv("NNI_SECRET_TRAINING_SERVICE_COMBINATION", WORD)
    monkeypatch.setenv("NNI_SECRET_TRAINING_SERVICE_SECOND_KEY", "k")
    taken = take_secrets_from_environment(read)
    assert [it.text for it in taken] == ["training_service.combination", "training_service.second_key"]
    assert missing_secrets(read) == []
    assert read == original.canonical_copy()
    assert WORD not in repr(taken) + repr(read)


def test_what_is_set_is_not_replaced(tmp_path):
    given = config(tmp_path, training_service=SafeConfig(combination=WORD))
    assert take_secrets_from_environment(given, {"NNI_SECRET_TRAINING_SERVICE_COMBINATION": "other"}) == []
    assert given.training_service.combination == WORD


def test_an_empty_variable_is_none(tmp_path):
    given = config(tmp_path, training_service=SafeConfig())
    assert take_secrets_from_environment(given, {"NNI_SECRET_TRAINING_SERVICE_COMBINATION": ""}) == []
    assert len(missing_secrets(given)) == 1


@pytest.mark.parametrize("has_key", [True, False])
def test_a_machine_lacks_a_password_where_it_has_no_key(tmp_path, has_key):
    key = tmp_path / "key"
    key.touch()
    machine = remote(ssh_key_file=key) if has_key else remote(ssh_key_file=tmp_path / "none")
    missing = [it.path[-1] for it in missing_secrets(config(tmp_path, training_service=machine))]
    assert missing == ([] if has_key else ["password", "ssh_passphrase"])


def test_without_secrets_nothing_is_missing(tmp_path):
    assert missing_secrets(ExperimentConfig("local")) == []
    assert missing_secrets(config(tmp_path, training_service={"platform": "local"})) == []
