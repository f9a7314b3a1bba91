"""OpenPAI's settings: how to sign in, and the user's own settings of jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nni_config import ExperimentConfig, InvalidConfigError, OpenpaiConfig
from nni_config.openpai_job import trial_role
from nni_config.secret_fields import missing_secrets

IMAGE = {"type": "dockerimage", "name": "torch", "uri": "pytorch/pytorch"}


@pytest.fixture
def build(tmp_path: Path) -> Any:
    def built(**fields: Any) -> ExperimentConfig:
        service = {
            **{"host": "pai.example.com", "username": "ada", "token": "sesame", "trial_cpu_number": 2},
            **{"trial_gpu_number": 1, "trial_memory_size": "1.5gb", "storage_config_name": "data"},
            **{"local_storage_mount_point": tmp_path, "container_storage_mount_point": "/mnt/data"},
            **fields,
        }
        config = ExperimentConfig("openpai", search_space={"x": {"_type": "choice", "_value": [1]}})
        config.trial_command, config.trial_code_directory = "python train.py", tmp_path
        config.trial_concurrency = 1
        config.tuner.name = "Random"
        config.training_service = OpenpaiConfig(**{k: v for k, v in service.items() if v is not None})
        return config

    return built


def problems(config: ExperimentConfig) -> dict[str, str]:
    with pytest.raises(InvalidConfigError) as raised:
        config.validate()
    return {
        ".".join(map(str, problem.path)).removeprefix("training_service."): problem.message
        for problem in raised.value.problems
    }


def test_a_token_or_a_file_with_one(build: Any, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("sesame\n")
    build(token=None, token_file=file).validate()
    assert missing_secrets(build(token=None, token_file=file)) == []
    assert [field.text for field in missing_secrets(build(token=None))] == ["training_service.token"]
    assert "needs it" in problems(build(token=None))["token"]
    assert "allowed is one of the two" in problems(build(token_file=file))["token_file"]
    assert "not a file" in problems(build(token=None, token_file=tmp_path / "no"))["token_file"]


def test_whom_to_trust(build: Any, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("")
    build(ca_file=file).validate()
    build(insecure=True).validate()
    build(insecure=False, ca_file=file).validate()
    assert "allowed is one of the two" in problems(build(insecure=True, ca_file=file))["insecure"]
    assert "not a file" in problems(build(ca_file=tmp_path / "no"))["ca_file"]


def test_how_large_the_code_may_be(build: Any) -> None:
    build(max_code_size="2gb").validate()
    with pytest.raises(InvalidConfigError, match="Bad unit"):
        build(max_code_size="2")


def test_settings_of_ones_own_that_are_kept(build: Any) -> None:
    build(
        virtual_cluster="vc1",
        openpai_config={
            **{
                "protocolVersion": "2",
                "name": "any",
                "type": "job",
                "jobRetryCount": 0,
                "prerequisites": [IMAGE],
            },
            "taskRoles": {
                "worker": {
                    **{"instances": 1, "dockerImage": "torch", "commands": ["python train.py"]},
                    "resourcePerInstance": {"cpu": 2, "memoryMB": 1536, "gpu": 1, "ports": {"tb": 1}},
                }
            },
            "secrets": {"password": "x"},
            "defaults": {"virtualCluster": "vc1", "deployment": "prod"},
            "extras": {"storages": [{"name": "data"}, {"name": "more", "mountPath": "/mnt/more"}]},
        },
    ).validate()
    several = {"taskRoles": {"trial": {}, "ps": {"instances": 3, "commands": ["sleep 1"]}}}
    build(openpai_config=several).validate()
    assert trial_role(several) == "trial"


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"type": "data"}, "type", 'allowed is "job"'),
    ({"protocolVersion": 1}, "protocolVersion", "allowed is 2"),
    ({"jobRetryCount": 2}, "jobRetryCount", "max_trial_retries"),
    ({"taskRoles": {"a": {}, "b": {}}}, "taskRoles", 'called "trial"'),
    ({"taskRoles": []}, "taskRoles", "not an object"),
    ({"taskRoles": {"a": 1}}, "taskRoles.a", "not an object"),
    ({"taskRoles": {"a": {"instances": 2}}}, "taskRoles.a.instances", "allowed is 1"),
    ({"taskRoles": {"a": {"taskRetryCount": 2}}}, "taskRoles.a.taskRetryCount", "max_trial_retries"),
    ({"taskRoles": {"a": {"commands": ["./other.sh"]}}}, "taskRoles.a.commands", "preCommands"),
    ({"taskRoles": {"a": {"dockerImage": "x"}}}, "taskRoles.a.dockerImage", "not the name of"),
    (
        {"taskRoles": {"a": {"resourcePerInstance": {"gpu": 4}}}},
        "taskRoles.a.resourcePerInstance.gpu",
        "says 1",
    ),
    (
        {"taskRoles": {"a": {"resourcePerInstance": {"memoryMB": 8}}}},
        "taskRoles.a.resourcePerInstance.memoryMB",
        "says 1536",
    ),
    ({"taskRoles": {"a": {"resourcePerInstance": 1}}}, "taskRoles.a.resourcePerInstance", "not an object"),
    ({"prerequisites": {}}, "prerequisites", "not a list"),
    ({"prerequisites": [{**IMAGE, "name": "nni_image"}]}, "prerequisites.0.name", "allowed is another"),
    ({"secrets": {"NNI_X": "y"}}, "secrets.NNI_X", "another name"),
    ({"defaults": {"virtualCluster": "vc2"}}, "defaults.virtualCluster", "allowed is one"),
    ({"extras": {"storages": [{"name": "data", "mountPath": "/x"}]}}, "extras.storages.0", "once"),
    ({"extras": {"storages": [{"name": "b", "mountPath": "/mnt/data/"}]}}, "extras.storages.0", "once"),
    ({"extras": {"storages": 1}}, "extras.storages", "not a list"),
]


@pytest.mark.parametrize(("settings", "path", "message"), REFUSED)
def test_settings_that_would_break_trials(build: Any, settings: Any, path: str, message: str) -> None:
    found = problems(build(virtual_cluster="vc1", openpai_config=settings))
    assert list(found) == [f"openpai_config.{path}"]
    assert message in found[f"openpai_config.{path}"]


def test_a_file_with_settings(build: Any, tmp_path: Path) -> None:
    file = tmp_path / "pai.yml"
    file.write_text("taskRoles:\n  a:\n    extraContainerOptions: {shmMB: 64}\n")
    config = build(openpai_config_file=file)
    config.validate()
    assert config.training_service.job_settings() == {
        "taskRoles": {"a": {"extraContainerOptions": {"shmMB": 64}}}
    }
    for text, message in (
        ("taskRoles:\n  a:\n    instances: 2\n", "taskRoles.a.instances: "),
        ("- 1\n", "does not hold an object"),
        ("a: [\n", f"{file}:2"),
        ("a: 1\na: 2\n", "given twice"),
    ):
        file.write_text(text)
        assert message in problems(build(openpai_config_file=file))["openpai_config_file"]
