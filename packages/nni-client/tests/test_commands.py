"""nnictl: useful output, the right exit code, never a traceback, whatever there is."""

from __future__ import annotations

import json
import os
import socket
import sys

import pytest
from nni_client.commands import main
from nni_client.launch import launch
from nni_client.manager_command import ManagerCommand
from nni_config.local_state import ManagerRecord, runtime_directory, write_manager_record
from nni_config.processes import process_start_time


@pytest.fixture
def nnictl(home, capsys, monkeypatch):
    """Runs nnictl in this process and returns what it printed."""

    def run(*words, exit_code=0):
        monkeypatch.setattr(sys, "argv", ["nnictl", *words])
        try:
            main()
            code = 0
        except SystemExit as error:
            code = error.code or 0
        captured = capsys.readouterr()
        assert code == exit_code, captured
        assert "Traceback" not in captured.err
        return captured.err if exit_code else captured.out

    return run


@pytest.fixture
def manager(home, fake_manager):
    """Starts a manager that can be found."""
    running = []

    def start(experiment_id):
        command = ManagerCommand(home / "nni-experiments", experiment_id)
        process = launch(command)
        running.append(process)
        record = ManagerRecord(
            experiment_id=experiment_id,
            pid=process.pid,
            process_start_time=process_start_time(process.pid),
            port=process.address.port,
            bind="127.0.0.1",
            url_prefix="",
            token=process.address.token,
            directory=str(home / "nni-experiments" / experiment_id),
        )
        write_manager_record(record, home / "nni-experiments" / experiment_id)
        return process

    yield start
    for process in running:
        process.end()


@pytest.mark.parametrize("words", [["status"], ["stop"], ["webui", "url"], ["experiment", "status"]])
def test_with_no_experiment(nnictl, words):
    assert nnictl(*words, exit_code=1) == "ERROR: There is no experiment running\n"


@pytest.mark.parametrize("words", [["stop"], ["webui", "url"]])
def test_one_that_has_ended_is_told_with_how_to_view_it(nnictl, home, words):
    for name in ("old1", "old2", "other"):
        (home / "nni-experiments" / name / "db").mkdir(parents=True)
        (home / "nni-experiments" / name / "db" / "experiment.sqlite").touch()
    (home / "nni-experiments" / "olda").mkdir()
    for wanted, found in (("old1", "old1"), ("oth", "other")):
        text = nnictl(*words, wanted, exit_code=1)
        assert f"no experiment running with the id {wanted}: {found} has ended;" in text
        assert f"nnictl view {found};" in text and f"nnictl resume {found}" in text
    for wanted in ("old", "olda", "none", "", "..", "../nni-experiments/old1"):
        text = nnictl(*words, wanted, exit_code=1)
        assert text == f"ERROR: There is no experiment running with the id {wanted}\n"


def test_lists_of_nothing(nnictl):
    assert nnictl("list") == nnictl("experiment", "list") == "No experiment is running.\n"
    assert nnictl("list", "--json") == "[]\n"
    assert nnictl("stop", "--all") == "No experiment is running.\n"


def test_with_one_experiment(nnictl, manager):
    process = manager("abc12345")
    (row,) = json.loads(nnictl("list", "--json"))
    assert (row["id"], row["status"], row["port"], row["pid"]) == (
        "abc12345",
        "RUNNING",
        process.address.port,
        process.pid,
    )
    header, line = nnictl("list").splitlines()
    assert header.split() == ["ID", "NAME", "STATUS", "TRIALS", "PORT", "PID", "STARTED", "DISK"]
    assert line.split()[0] == "abc12345"
    for words in ([], ["abc12345"], ["abc"]):
        assert nnictl("status", *words).startswith("abc12345: RUNNING\n")
        assert json.loads(nnictl("status", *words, "--json"))["status"] == "RUNNING"
        assert nnictl("webui", "url", *words) == "Web UI url: http://127.0.0.1:8080/sign-in?code=abc\n"
    wrong = nnictl("status", "xyz", exit_code=1)
    assert "There is no experiment xyz; see: nnictl experiment list --all" in wrong
    wrong = nnictl("stop", "xyz", exit_code=1)
    assert "no experiment running with the id xyz; running are abc12345 (port" in wrong
    assert nnictl("stop") == "Stopping experiment abc12345\nStop experiment success.\n"
    assert process.wait(10)


@pytest.mark.parametrize("words", [["stop"], ["stop", "--all"]])
def test_what_was_told_to_stop_has_ended_when_nnictl_has(nnictl, manager, fake_manager, words):
    """Field report 7: also where a manager takes its time after its answer; its port is free then."""
    fake_manager(linger_seconds=1.0)
    process = manager("abc12345")
    nnictl(*words)
    # The last of its threads may end a moment after the first, and only then its parent hears of it.
    assert process.wait(0.5)
    socket.create_server(("127.0.0.1", process.address.port)).close()


def test_with_several_experiments(nnictl, manager):
    first, second, third = (manager(name) for name in ("abc1", "abc2", "abd3"))
    for words in (["status"], ["stop"], ["webui", "url"], ["stop", "ab"]):
        text = nnictl(*words, exit_code=1)
        assert "Several experiments are running" in text
        assert all(name in text for name in ("abc1", "abc2", "abd3"))
    assert len(json.loads(nnictl("list", "--json"))) == 3
    assert "abc2" in nnictl("stop", "--port", str(second.address.port))
    assert second.wait(10)
    assert not first.has_ended and not third.has_ended
    assert "--all goes with neither" in nnictl("stop", "abc1", "--all", exit_code=1)
    assert nnictl("stop", "-a").count("Stop experiment success.") == 2
    assert first.wait(10) and third.wait(10)


def test_an_id_that_begins_another_one(nnictl, manager):
    first, second = manager("abc"), manager("abcd")
    assert nnictl("status", "abc").startswith("abc: ")
    nnictl("stop", "abc")
    assert first.wait(10) and not second.has_ended


def test_one_that_cannot_be_stopped_does_not_save_the_others(nnictl, manager, monkeypatch):
    first, second = manager("abc1"), manager("abc2")
    from nni_client.commands import ending
    from nni_client.errors import CallError

    stop = ending.stop_experiment

    def refuse(attached, name):
        if name.endswith("abc1"):
            raise CallError("disk full")
        return stop(attached, name)

    monkeypatch.setattr(ending, "stop_experiment", refuse)
    assert "experiment abc1: disk full" in nnictl("stop", "--all", exit_code=1)
    assert second.wait(10) and not first.has_ended


def test_with_a_record_that_is_lost(nnictl, manager, home):
    process = manager("abc1")
    for path in (runtime_directory() / "managers").iterdir():
        path.unlink()
    assert "abc1" in nnictl("list")
    nnictl("stop", "--all")
    assert process.wait(10)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"port": "x"}'])
def test_with_a_record_that_is_broken(nnictl, manager, home, text):
    nnictl("list")
    (runtime_directory() / "managers" / "8080.json").write_text(text)
    assert nnictl("list") == "No experiment is running.\n"
    nnictl("stop", exit_code=1)


def test_with_a_record_of_one_that_has_gone(nnictl, manager):
    process = manager("abc1")
    os.kill(process.pid, 9)
    process.process.wait()
    assert nnictl("list") == "No experiment is running.\n"
    assert "no experiment running" in nnictl("stop", "abc1", exit_code=1)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["nonsense"], "No such command"),
        (["create"], "--config"),
        (["stop", "--port", "x"], "Invalid value for"),
        (["status", "--jsn"], "No such option"),
    ],
)
def test_wrong_usage(nnictl, words, text):
    assert text in nnictl(*words, exit_code=2)


def test_a_configuration_that_is_not_there(nnictl):
    assert "ERROR: " in nnictl("create", "--config=/nowhere/x.yml", exit_code=1)


def test_views_of_nothing(nnictl, manager):
    assert "There is no experiment nosuch;" in nnictl("view", "nosuch", exit_code=1)
    assert "There is no experiment ../x;" in nnictl("view", "../x", exit_code=1)
    manager("abc1")
    assert "is running, on port" in nnictl("view", "abc1", exit_code=1)


def test_the_version(nnictl):
    assert nnictl("--version") == "4.0.0\n"


def test_beside_microsofts_nni_it_refuses(nnictl, monkeypatch):
    monkeypatch.setattr("nni._foreign.microsoft_nni_problem", lambda: "pip uninstall nni")
    assert nnictl("list", exit_code=1) == "ERROR: pip uninstall nni\n"


@pytest.mark.parametrize(
    ("name", "why"), [("missing.yml", "No such file or directory"), (".", "Is a directory")]
)
def test_a_configuration_file_that_cannot_be_read_is_named_first(nnictl, tmp_path, name, why):
    path = tmp_path / name
    for words in (("create", "-c"), ("config", "convert")):
        assert nnictl(*words, str(path), exit_code=1) == f"ERROR: {path}: {why}\n"
