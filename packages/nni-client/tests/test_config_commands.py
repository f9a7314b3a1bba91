"""nnictl config check, nnictl config show, nnictl hello."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from nni_client.commands import configurations, main
from nni_config import ExperimentConfig
from nni_config.wire import config_to_message
from nni_proto.v1.experiment_pb2 import Experiment

VALID: dict[str, Any] = {
    "searchSpace": {"x": {"_type": "uniform", "_value": [0, 1]}},
    "trialCommand": "python3 trial.py",
    "trialConcurrency": 1,
    "tuner": {"name": "TPE"},
    "trainingService": {"platform": "local"},
}


@pytest.fixture
def nnictl(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs nnictl in this process in the home folder and returns its output and its errors."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("NNI_CONFIG_DIR", str(home / "config"))

    def run(*words: str, exit_code: int = 0) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["nnictl", *words])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        assert (end.value.code or 0) == exit_code, captured
        assert "Traceback" not in captured.err
        return captured

    return run


@pytest.fixture
def written(home: Path) -> Callable[..., str]:
    def write(**fields: Any) -> str:
        path = home / "experiment.yml"
        path.write_text(json.dumps({**VALID, **fields}, indent=1))
        return "experiment.yml"

    return write


def test_a_valid_file(nnictl: Any, written: Callable[..., str]) -> None:
    assert nnictl("config", "check", written()).out == "experiment.yml is a valid configuration\n"
    assert json.loads(nnictl("config", "check", written(), "--json").out) == {
        "valid": True,
        "problems": [],
        "warnings": [],
    }


def test_every_problem_is_told_at_its_line(nnictl: Any, written: Callable[..., str]) -> None:
    path = written(trialConcurrency=0, maxTrialNumber="many", tuner={"name": "TPEE"}, experimentNam="a")
    lines = nnictl("config", "check", path, exit_code=1).err.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["experiment.yml:12", "trialConcurrency"],
        ["experiment.yml:14", "tuner.name"],
        ["experiment.yml:19", "maxTrialNumber"],
        ["experiment.yml:20", "experimentNam"],
    ]
    found = json.loads(nnictl("config", "check", path, "--json", exit_code=1).out)
    assert found["valid"] is False
    assert found["problems"][0] == {
        "file": "experiment.yml",
        "line": 12,
        "field": "trialConcurrency",
        "message": "0 is too small; allowed is a number above 0",
    }


def test_arguments_of_algorithms_are_checked_too(nnictl: Any, written: Callable[..., str]) -> None:
    tuner = {"name": "TPE", "classArgs": {"seed": 1.5, "optimise_mode": "minimize"}}
    lines = nnictl("config", "check", written(tuner=tuner), exit_code=1).err.splitlines()
    assert lines == [
        "experiment.yml:16: tuner.classArgs.seed: seed is 1.5; it should be an integer of at least 0, "
        "or null",
        "experiment.yml:17: tuner.classArgs.optimise_mode: unknown argument 'optimise_mode'; it takes "
        "optimize_mode, seed, tpe_args",
    ]


def test_arguments_within_arguments_and_those_of_an_advisor(nnictl: Any, written: Callable[..., str]) -> None:
    tuner = {"name": "TPE", "classArgs": {"tpe_args": {"gamma": -1}}}
    (line,) = nnictl("config", "check", written(tuner=tuner), exit_code=1).err.splitlines()
    assert line.startswith("experiment.yml:17: tuner.classArgs.tpe_args.gamma: gamma is -1; it should be ")
    advisor = {"name": "Hyperband", "classArgs": {"R": 0}}
    (line,) = nnictl("config", "check", written(tuner=None, advisor=advisor), exit_code=1).err.splitlines()
    assert line.endswith(": advisor.classArgs.R: R is 0; it should be an integer of at least 1")


def test_what_a_person_is_to_know_of_a_tuner_is_a_warning(nnictl: Any, written: Callable[..., str]) -> None:
    captured = nnictl("config", "check", written(tuner={"name": "tpe_LEGACY"}))
    assert captured.err == "WARNING: TPE_legacy is TPE here; the name TPE has more settings\n"
    assert captured.out == "experiment.yml is a valid configuration\n"
    found = json.loads(nnictl("config", "check", "experiment.yml", "--json").out)
    assert found["warnings"] == ["TPE_legacy is TPE here; the name TPE has more settings"]


def test_a_class_whose_module_is_not_there(nnictl: Any, written: Callable[..., str], home: Path) -> None:
    own = {"className": "own_tuner.Own", "codeDirectory": "."}
    lines = nnictl("config", "check", written(tuner=own), exit_code=1).err.splitlines()
    assert lines == [
        f"experiment.yml:14: tuner.className: there is no module own_tuner in {home}; "
        "allowed is a module there or an installed one"
    ]
    (home / "own_tuner.py").write_text("1 / 0  # it is not imported\n")
    assert nnictl("config", "check", written(tuner=own)).out
    assert nnictl("config", "check", written(tuner={**own, "className": "json.Own"})).out


def test_what_does_not_run_here_and_what_is_odd(nnictl: Any, written: Callable[..., str]) -> None:
    names = (
        *("image", "ecsSpec", "region", "workspaceId", "nasDataSourceId", "accessKeyId", "accessKeySecret"),
        *("localStorageMountPoint", "containerStorageMountPoint"),
    )
    path = written(trainingService={"platform": "dlc", "podCount": 1, **dict.fromkeys(names, "a")})
    captured = nnictl("config", "check", path, exit_code=1)
    assert captured.err.startswith("experiment.yml:17: trainingService.platform: this version does not run ")
    captured = nnictl("config", "check", written(nniManagerIp="10.0.0.1"))
    assert captured.err.startswith("WARNING: nni_manager_ip: it is not needed")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "experiment.yml: the file is empty"),
        ("a: [", "experiment.yml:1: it is not YAML"),
        ("- 1", "experiment.yml: it holds [1]; allowed are fields with values"),
    ],
)
def test_what_is_no_configuration(nnictl: Any, home: Path, content: str, said: str) -> None:
    (home / "experiment.yml").write_text(content)
    assert nnictl("config", "check", "experiment.yml", exit_code=1).err.startswith(said)


def test_a_file_that_is_not_there(nnictl: Any) -> None:
    assert nnictl("config", "check", "none.yml", exit_code=1).err == (
        "ERROR: none.yml: No such file or directory\n"
    )


def test_no_process_of_an_experiment_is_started(nnictl: Any, written: Callable[..., str], home: Path) -> None:
    nnictl("config", "check", written(trialCommand="touch ran"))
    assert sorted(path.name for path in home.iterdir()) == ["experiment.yml"]


def test_the_configuration_of_an_experiment_without_secrets(
    nnictl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = {"host": "a", "user": "u", "password": "the-secret"}
    config = ExperimentConfig(**{**VALID, "searchSpace": {"b": 1, "a": 2}, "tuner": {"className": "a.B"}})
    config.training_service = {"platform": "remote", "machineList": [machine]}
    experiment = Experiment(config=config_to_message(config))
    monkeypatch.setattr(configurations, "find_readable", lambda experiment_id, directory: experiment_id)
    monkeypatch.setattr(configurations, "read_experiment", lambda folder: experiment)
    out = nnictl("config", "show", "abcd1234").out
    assert "secret" not in out
    shown = json.loads(out)
    assert list(shown["searchSpace"]) == ["b", "a"]
    (shown_machine,) = shown["trainingService"]["machineList"]
    assert shown_machine["host"] == "a"
    assert "password" not in shown_machine


def test_hello_copies_an_example(nnictl: Any, home: Path) -> None:
    out = nnictl("hello").out
    assert "nni_hello_hpo/main.py" in out
    folder = home / "nni_hello_hpo"
    assert sorted(path.name for path in folder.iterdir()) == ["config.yml", "main.py", "trial.py"]
    assert "nni_hello_hpo/config.yml is a valid" in nnictl("config", "check", "nni_hello_hpo/config.yml").out
    (folder / "trial.py").write_text("mine")
    assert nnictl("hello", exit_code=1).err == (
        f"ERROR: {folder} exists already; remove it, or go to another folder\n"
    )
    assert (folder / "trial.py").read_text() == "mine"


def test_hello_in_a_folder_that_cannot_be_written_to(nnictl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *arguments: Any, **options: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert nnictl("hello", exit_code=1).err == "ERROR: nni_hello_hpo: Permission denied\n"


def test_the_examples_two_forms_say_the_same(nnictl: Any, home: Path) -> None:
    nnictl("hello")
    by_file = yaml.safe_load((home / "nni_hello_hpo" / "config.yml").read_text())
    program = (home / "nni_hello_hpo" / "main.py").read_text()
    names: dict[str, Any] = {"__name__": "read", "__file__": str(home / "nni_hello_hpo" / "main.py")}
    exec(program, names)
    by_program = names["experiment"].config.to_dict()
    by_program["trialCodeDirectory"] = "."
    assert {key: by_program[key] for key in by_file if key != "trainingService"} == {
        key: value for key, value in by_file.items() if key != "trainingService"
    }
