"""From each field of OpenpaiConfig, set or not, to the job that is submitted."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from nni_config import ExperimentConfig, OpenpaiConfig
from nni_config.names import camel_case
from nni_config.wire import config_from_message, config_to_message
from nni_manager.training.jobs.platform import JobOrder
from nni_manager.training.openpai.job import as_yaml, job_protocol
from nni_manager.training.openpai.making import make_openpai_platform
from nni_manager.training.openpai.platform import OpenPai
from nni_manager.training.openpai.storage import MountedExperiment
from openpai_stand_in.protocol import checked_job, entrypoint

ORDER = JobOrder("nni_exp_aaaaa_0", "echo hello")


def loaded(folder: Path, **fields: Any) -> OpenpaiConfig:
    """Returns a configuration as a manager gets it: read from YAML, made a message, and read again."""
    service = {
        **{"platform": "openpai", "host": "pai.example", "username": "ada", "token": "sesame"},
        **{"trialCpuNumber": 2, "trialGpuNumber": 1, "trialMemorySize": "1.5gb", "storageConfigName": "data"},
        **{"localStorageMountPoint": str(folder), "containerStorageMountPoint": "/mnt/data"},
        **fields,
    }
    text = json.dumps(
        {
            **{"trialCommand": "python train.py", "trialConcurrency": 1, "trialCodeDirectory": str(folder)},
            **{"searchSpace": {"x": {"_type": "choice", "_value": [1]}}, "tuner": {"name": "Random"}},
            "trainingService": {key: value for key, value in service.items() if value is not None},
        }
    )
    (folder / "config.yml").write_text(text)
    message = config_to_message(ExperimentConfig.load(folder / "config.yml").canonical_copy())
    config = config_from_message(message).canonical_copy().training_service
    assert isinstance(config, OpenpaiConfig)
    return config


def submitted(config: OpenpaiConfig, order: JobOrder = ORDER, **more: Any) -> dict[str, Any]:
    job = job_protocol(config, config.job_settings(), order, experiment_id="exp", **more)
    return checked_job(as_yaml(job).encode())


def role(job: dict[str, Any]) -> dict[str, Any]:
    return next(iter(job["taskRoles"].values()))


def resources(job: dict[str, Any]) -> dict[str, Any]:
    return role(job)["resourcePerInstance"]


def image(job: dict[str, Any]) -> str:
    return job["prerequisites"][0]["uri"]


OWN = {
    "prerequisites": [
        {"type": "dockerimage", "name": "torch", "uri": "pytorch/pytorch", "auth": {"username": "u"}}
    ],
    "taskRoles": {"trial": {"dockerImage": "torch", "extraContainerOptions": {"shmMB": 64}}},
    "secrets": {"word": "w"},
}
IN_JOB: list[tuple[str, Any, Callable[[dict[str, Any]], Any], Any, Any]] = [
    ("trialCpuNumber", 5, lambda job: resources(job)["cpu"], 2, 5),
    ("trialGpuNumber", 0, lambda job: resources(job)["gpu"], 1, 0),
    ("trialMemorySize", 4096, lambda job: resources(job)["memoryMB"], 1536, 4096),
    ("storageConfigName", "more", lambda job: job["extras"]["storages"][0]["name"], "data", "more"),
    (
        "containerStorageMountPoint",
        "/d/",
        lambda job: job["extras"]["storages"][0]["mountPath"],
        "/mnt/data",
        "/d",
    ),
    ("dockerImage", "python:3.11", image, "msranni/nni:latest", "python:3.11"),
    ("virtualCluster", "vc1", lambda job: job.get("defaults"), None, {"virtualCluster": "vc1"}),
    ("openpaiConfig", OWN, image, "msranni/nni:latest", "pytorch/pytorch"),
]


@pytest.mark.parametrize(("field", "value", "look", "unset", "when_set"), IN_JOB)
def test_fields_that_are_in_the_job(
    tmp_path: Path, field: str, value: Any, look: Any, unset: Any, when_set: Any
) -> None:
    assert look(submitted(loaded(tmp_path))) == unset
    assert look(submitted(loaded(tmp_path, **{field: value}))) == when_set


def api_of(platform: OpenPai) -> Any:
    return platform._api


ELSEWHERE: dict[str, tuple[Any, Callable[[OpenPai], Any], Any, Any]] = {
    "host": ("http://b/pai/", lambda it: api_of(it).portal, "https://pai.example", "http://b/pai"),
    "username": ("bob", lambda it: it._path("j"), "/api/v2/jobs/ada~j", "/api/v2/jobs/bob~j"),
    "token": ("other", lambda it: it._token.value, "sesame", "other"),
    "insecure": (True, lambda it: it._config.insecure, None, True),
    "maxCodeSize": ("2gb", lambda it: it._config.max_code_size, None, "2gb"),
    "reuseMode": (False, lambda it: it._config.reuse_mode, True, False),
}


@pytest.mark.parametrize("field", ELSEWHERE)
async def test_fields_that_are_used_elsewhere(tmp_path: Path, field: str) -> None:
    value, look, unset, when_set = ELSEWHERE[field]
    for fields, expected in (({}, unset), ({field: value}, when_set)):
        config = loaded(tmp_path, **fields)
        platform = make_openpai_platform(ExperimentConfig("openpai"), config, "exp", tmp_path)
        assert isinstance(platform, OpenPai)
        assert look(platform) == expected
        await platform.close()


async def test_fields_that_name_files(tmp_path: Path) -> None:
    names = {"tokenFile": "other", "openpaiConfigFile": '{"secrets": {"a": "b"}}'}
    for name, text in names.items():
        (tmp_path / name).write_text(text)
    fields = {name: str(tmp_path / name) for name in names}
    config = loaded(tmp_path, token=None, localStorageMountPoint=str(tmp_path), **fields)
    platform = make_openpai_platform(ExperimentConfig("openpai"), config, "exp", tmp_path)
    assert isinstance(platform, OpenPai)
    assert platform._token.value == "other"
    assert submitted(config)["secrets"] == {"a": "b"}
    assert platform.storage.local_trials_directory == tmp_path / "nni" / "exp" / "trials"
    assert platform.storage.trials_directory == "/mnt/data/nni/exp/trials"
    await platform.close()


def test_every_field_is_in_one_of_these_tests() -> None:
    tested = {
        *(it[0] for it in IN_JOB),
        *ELSEWHERE,
        "tokenFile",
        "openpaiConfigFile",
        "localStorageMountPoint",
    }
    own = set(OpenpaiConfig.__annotations__) - {"platform", "_instead"}
    names = set(map(camel_case, own)) | {"trialGpuNumber"}
    # ca_file needs a server that has a certificate: test_openpai_platform.py.
    assert names == tested | {"caFile"}


def test_what_is_ones_own_is_kept(tmp_path: Path) -> None:
    own = {
        **{"name": "mine", "version": "1.0", "contributor": "ada", "parameters": {"a": 1}, **OWN},
        "taskRoles": {
            "trial": {"dockerImage": "torch", "resourcePerInstance": {"ports": {"tb": 1}}},
            "ps": {
                **{"dockerImage": "torch", "instances": 2, "commands": ["sleep 1"]},
                "resourcePerInstance": {"cpu": 1, "memoryMB": 1, "gpu": 0},
            },
        },
        "deployments": [{"name": "d", "taskRoles": {"trial": {"preCommands": ["set -e", "echo first"]}}}],
        "defaults": {"deployment": "d"},
        "extras": {"storages": [{"name": "more"}], "hivedScheduler": {"jobPriorityClass": "prod"}},
    }
    order = JobOrder("nni_exp_aaaaa_0", "echo second", secrets={"NNI_KEY": "x"})
    job = submitted(loaded(tmp_path, openpaiConfig=own, virtualCluster="vc1"), order)
    assert job["name"] == "nni_exp_aaaaa_0"
    assert (job["version"], job["contributor"], job["parameters"]) == ("1.0", "ada", {"a": 1})
    assert job["prerequisites"] == own["prerequisites"]
    assert job["taskRoles"]["ps"] == own["taskRoles"]["ps"]
    assert role(job)["resourcePerInstance"] == {"cpu": 2, "memoryMB": 1536, "gpu": 1, "ports": {"tb": 1}}
    assert job["defaults"] == {"deployment": "d", "virtualCluster": "vc1"}
    assert [each["name"] for each in job["extras"]["storages"]] == ["more", "data"]
    assert job["extras"]["hivedScheduler"] == {"jobPriorityClass": "prod"}
    assert job["secrets"] == {"word": "w", "NNI_KEY": "x"}
    assert (job["jobRetryCount"], role(job)["taskRetryCount"], role(job)["instances"]) == (0, 0, 1)
    assert ran(entrypoint(job, "trial")) == "first\nsecond\n"


def ran(script: str, **options: Any) -> str:
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, **options
    ).stdout


words = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12) | st.sampled_from(
    ["<%", "<% $secrets.A %>", "'<%'", "$(x)", "`", "\\", "a\nb", "!"]
)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> OpenpaiConfig:
    return loaded(tmp_path_factory.mktemp("usual"))


@settings(max_examples=25, deadline=None)
@given(plain=words, secret=words.filter(lambda text: not set(text) & set("<%")))
def test_variables_arrive_as_they_are(usual: OpenpaiConfig, plain: str, secret: str) -> None:
    order = JobOrder("a", 'printf \'%s\\n%s\' "$PLAIN" "$NNI_KEY"', {"PLAIN": plain}, {"NNI_KEY": secret})
    job = submitted(usual, order)
    assert ran(entrypoint(job, "trial"), encoding="utf-8") == f"{plain}\n{secret}"
    assert yaml.safe_load(as_yaml(job)) == job


def test_what_openpai_replaces_is_not_in_commands(tmp_path: Path) -> None:
    order = JobOrder("a", "cat << '<%end'\n<% $secrets.a %> 'x'\n<%end")
    job = submitted(loaded(tmp_path), order)
    assert "<%" not in role(job)["commands"][0]
    assert ran(entrypoint(job, "trial")) == "<% $secrets.a %> 'x'\n"


@pytest.fixture
def mount() -> Iterator[Path]:
    """A folder that every user can reach, as those of tests cannot be."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize("owner", [0, 1234])
def test_jobs_write_as_the_owner_of_the_folder(tmp_path: Path, owner: int, mount: Path) -> None:
    """Files are private: a job that runs as root and a manager that does not would not read each other's."""
    place = MountedExperiment(mount, str(mount), "exp")
    place.local.mkdir(parents=True)
    for path in (mount, mount / "nni", place.local):
        path.chmod(0o755)
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(place.local, owner, owner)
    wrap = place.wrap()
    assert (wrap is None) == (is_root and owner == 0)
    order = JobOrder(
        "a", f'umask 077; echo "it\'s <% me" > {place.local}/file; touch $HOME/x', {"HOME": "/root"}
    )
    job = submitted(loaded(tmp_path), order, wrap=wrap)
    if is_root:
        ran(entrypoint(job, "trial"), cwd="/root")
        assert (place.local / "file").stat().st_uid == owner
        assert (place.local / "file").read_text() == "it's <% me\n"
        Path("/root/x").unlink(missing_ok=True)
