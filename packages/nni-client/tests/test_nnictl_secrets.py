"""nnictl resume: no record has secrets, so a terminal is asked for them, or the environment."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import textwrap

import pytest
from nni_client.commands import creating, resuming, showing
from nni_client.commands.resuming import Changes
from nni_config import ExperimentConfig, TrainingServiceConfig
from nni_config.experiment_summary import ExperimentSummary, write_summary
from nni_config.fields import SecretText
from nni_config.secret_fields import secret_fields
from nni_config.wire import config_to_message
from nni_proto.v1.experiment_pb2 import Experiment

WORD = "never-to-be-seen"
VARIABLE = "NNI_SECRET_TRAINING_SERVICE_COMBINATION"
OPTIONS = creating.Options(0, False, None, None, False)


class StrongroomConfig(TrainingServiceConfig):
    """A place of somebody else's with a secret that must be set and one that need not."""

    platform: str = "strongroom-of-this-test"
    combination: SecretText
    second_key: SecretText | None = None


@pytest.fixture
def resumed(home, monkeypatch):
    """The configurations with which experiments were resumed; one with a secret waits for that."""
    folder = home / "nni-experiments" / "abc1"
    (folder / "db").mkdir(parents=True)
    (folder / "db" / "experiment.sqlite").touch()
    write_summary(ExperimentSummary("abc1", "", "STOPPED", "strongroom-of-this-test", 1.0), folder)
    config = ExperimentConfig(
        trial_command="true",
        trial_code_directory=home,
        trial_concurrency=1,
        search_space={"x": {"_type": "choice", "_value": [1]}},
        tuner={"name": "Random"},
        training_service=StrongroomConfig(combination=""),
    )
    for field in secret_fields(config):
        setattr(field.owner, field.path[-1], None)
    record = Experiment(name="experiments/abc1", config=config_to_message(config))
    monkeypatch.setattr(showing, "read_experiment", lambda folder: record)
    seen = []

    def resume(experiment, **how):
        seen.append(experiment.config)
        return experiment

    monkeypatch.setattr(resuming.Experiment, "resume", resume)
    return seen


def resume(*, changes=None):
    return resuming.resume_experiment("abc", None, changes or Changes(), OPTIONS, None, False)


def test_on_a_terminal_it_asks_for_what_is_missing(resumed, monkeypatch):
    asked = []

    def prompt(text, **how):
        asked.append(text)
        assert how["hide_input"]
        return WORD

    monkeypatch.setattr(resuming, "_is_terminal", lambda: True)
    monkeypatch.setattr(resuming.typer, "prompt", prompt)
    assert resume() == 0
    assert asked == ["training_service.combination"]
    (config,) = resumed
    assert config.training_service.combination == WORD and config.training_service.second_key is None


def test_what_the_environment_has_is_not_asked_for(resumed, monkeypatch):
    monkeypatch.setattr(resuming, "_is_terminal", lambda: True)
    monkeypatch.setattr(resuming.typer, "prompt", pytest.fail)
    monkeypatch.setenv(VARIABLE, WORD)
    monkeypatch.setenv("NNI_SECRET_TRAINING_SERVICE_SECOND_KEY", "key")
    assert resume() == 0
    (config,) = resumed
    assert (config.training_service.combination, config.training_service.second_key) == (WORD, "key")


def test_without_a_terminal_nothing_is_asked(resumed, monkeypatch):
    monkeypatch.setattr(resuming.typer, "prompt", pytest.fail)
    assert resume() == 0
    assert resumed == [None]  # the resume itself takes what the environment has, and names what is missing


def test_changes_are_made_to_what_was_recorded(resumed, monkeypatch, tmp_path):
    monkeypatch.setattr(resuming.typer, "prompt", pytest.fail)
    monkeypatch.setenv(VARIABLE, WORD)
    assert resume(changes=Changes(None, 20, "2h", 3)) == 0
    (config,) = resumed
    assert (config.max_trial_number, config.max_experiment_duration, config.trial_concurrency) == (
        20,
        "2h",
        3,
    )
    assert config.training_service.combination == WORD
    with pytest.raises(ValueError, match="max_trial_number"):
        resume(changes=Changes(None, 0))


def test_what_is_typed_is_not_shown():
    program = """
        from nni_client.commands.resuming import ask_for_secrets
        from nni_config import RemoteMachineConfig
        from nni_config.secret_fields import secret_fields
        machine = RemoteMachineConfig(host="a", user="b")
        ask_for_secrets(secret_fields(machine))
        assert (machine.password, machine.ssh_passphrase) == ("never-to-be-seen", None)
        print("all is well")
    """
    ours, theirs = pty.openpty()
    words = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        shown = b""
        for answer in (f"{WORD}\n", "\n"):
            while not shown.endswith(b"(Enter for none): "):
                shown += os.read(ours, 1024)
            os.write(ours, answer.encode())
            shown += b"\n"
        while b"all is well" not in shown:
            shown += os.read(ours, 1024)
        assert process.wait(30) == 0
    os.close(ours)
    assert b"password (Enter for none)" in shown and WORD.encode() not in shown
