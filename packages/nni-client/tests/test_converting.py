"""nnictl config convert, and nnictl create with a file in NNI's V1 form."""

from __future__ import annotations

import sys

import pytest
from nni_client.commands import creating, main
from nni_config import ExperimentConfig

V1 = """\
authorName: default
trialConcurrency: 1
maxTrialNum: 1
trainingServicePlatform: local
searchSpacePath: space.json
useAnnotation: false
tuner: {builtinTunerName: Random}
trial: {command: python3 trial.py, codeDir: code}
"""
V2 = """\
searchSpaceFile: space.json
trialCommand: python3 trial.py
trialCodeDirectory: code
trialConcurrency: 1
maxTrialNumber: 1
tuner:
  name: Random
trainingService:
  platform: local
"""
SECRET = "machineList: [{ip: a, username: b, passwd: tell-nobody}]\n"


@pytest.fixture
def old(tmp_path, home):
    (tmp_path / "code").mkdir()
    (tmp_path / "space.json").write_text('{"x": {"_type": "uniform", "_value": [0, 1]}}')
    path = tmp_path / "old.yml"
    path.write_text(V1)
    return path


@pytest.fixture
def nnictl(capsys, monkeypatch):
    """Runs nnictl in this process and returns its exit code and what it printed."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["nnictl", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as error:
            code = error.code or 0
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return run


def test_the_converted_file_is_printed(nnictl, old):
    code, out, err = nnictl("config", "convert", old)
    assert (code, out) == (0, V2)
    assert err == f"{old}:1: authorName: the V2 form has no field for it; keep it as a comment\n"


def test_the_converted_file_is_written_once(nnictl, old, tmp_path):
    new = tmp_path / "new.yml"
    assert nnictl("config", "convert", old, new)[:2] == (0, f"Wrote {new}\n")
    assert new.read_text() == V2
    assert ExperimentConfig.load(new) == ExperimentConfig.load(old)
    new.write_text("mine")
    code, out, err = nnictl("config", "convert", old, new)
    assert (code, out) == (1, "") and err.endswith(f"ERROR: {new} exists already; --force replaces it\n")
    assert new.read_text() == "mine"
    assert nnictl("config", "convert", "--force", old, new)[0] == 0
    assert new.read_text() == V2


def test_paths_lead_from_where_the_new_file_is(nnictl, old, tmp_path):
    new = tmp_path / "code" / "new.yml"
    assert nnictl("config", "convert", old, new)[0] == 0
    assert "searchSpaceFile: ../space.json\n" in new.read_text()
    assert ExperimentConfig.load(new).json() | {"searchSpaceFile": ""} == ExperimentConfig.load(
        old
    ).json() | {"searchSpaceFile": ""}


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_secrets_are_in_the_private_file_alone(nnictl, old, tmp_path, force):
    old.write_text(V1.replace("form: local", "form: remote") + SECRET)
    code, out, err = nnictl("config", "convert", old)
    assert code == 0 and "password: '******'" in out and "tell-nobody" not in out + err
    assert "The secrets are not shown" in err
    new = tmp_path / "new.yml"
    if force:
        new.touch(mode=0o644)
    code, out, err = nnictl("config", "convert", *force, old, new)
    assert code == 0 and "tell-nobody" not in out + err
    assert "password: tell-nobody" in new.read_text()
    assert new.stat().st_mode & 0o777 == 0o600


def test_what_is_wrong_with_the_old_file(nnictl, old, tmp_path):
    new = tmp_path / "new.yml"
    old.write_text(V1.replace("maxTrialNum", "maxTrailNum").replace("Platform: local", "Platform: loca"))
    code, out, err = nnictl("config", "convert", old, new)
    assert (code, out) == (1, "")
    assert f"{old}:3: maxTrailNum: " in err and f"{old}:4: trainingServicePlatform: 'loca'" in err
    assert not new.exists()
    old.write_text(V1.replace("codeDir: code", "codeDir: nowhere"))
    code, out, err = nnictl("config", "convert", old, new)
    assert code == 0 and new.exists()
    assert f"WARNING: {new}:3: trialCodeDirectory: " in err


def test_a_file_in_the_v2_form_and_no_file(nnictl, old, tmp_path):
    old.write_text(V2)
    assert nnictl("config", "convert", old) == (
        1,
        "",
        f"ERROR: {old} is not in NNI's V1 form (it has no trainingServicePlatform); nothing to convert\n",
    )
    code, _, err = nnictl("config", "convert", tmp_path / "no.yml")
    assert code == 1 and "no.yml" in err


def test_create_says_how_it_reads_the_file(nnictl, old, monkeypatch):
    started = []

    class Experiment:
        id = "abc"

        def __init__(self, config):
            self.config = config

        def start(self, **options):
            started.append(self.config)

    monkeypatch.setattr(creating, "Experiment", Experiment)
    code, _, err = nnictl("create", "--config", old)
    assert code == 0 and started == [ExperimentConfig.load(old)]
    assert err == f"{started[0].conversion_notice()}\n" and V2 in err


def test_create_refuses_annotations(nnictl, old):
    old.write_text(V1.replace("useAnnotation: false", "useAnnotation: true"))
    code, _, err = nnictl("create", "--config", old)
    assert code == 1 and f"ERROR: {old}:6: useAnnotation: annotations in the trial's code" in err
