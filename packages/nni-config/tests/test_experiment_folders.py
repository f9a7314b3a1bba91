"""Experiments are found by their folders."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from nni_config import local_state
from nni_config.experiment_folders import (
    FolderKind,
    experiments_directories,
    find_experiment,
    find_experiments,
    remember_experiments_directory,
)
from nni_config.experiment_summary import ExperimentSummary, read_summary, write_summary
from nni_config.local_state import ManagerRecord, running_managers, write_manager_record
from nni_config.processes import process_start_time
from nni_config.remembered_directories import remembered_file


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NNI_RUNTIME_DIR", str(tmp_path / "runtime"))
    for name in ("NNI_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def make(folder, record="experiment.sqlite", **facts):
    (folder / "db").mkdir(parents=True)
    (folder / "db" / record).touch()
    if facts:
        values = {"experiment_id": folder.name, "name": "", "platform": "local", "created_at": 1.0, **facts}
        write_summary(ExperimentSummary(**values), folder)
    return folder


def run_by_this_process(folder, **facts):
    record = ManagerRecord(
        folder.name,
        os.getpid(),
        process_start_time(os.getpid()),
        8080,
        "127.0.0.1",
        "",
        "t",
        str(folder),
        **facts,
    )
    write_manager_record(record, folder)
    return record


def test_nothing_is_found_where_nothing_is(home):
    assert experiments_directories() == []
    assert find_experiments() == []
    assert find_experiment("abc") is None


def test_what_is_an_experiment(home):
    base = home / "nni-experiments"
    make(base / "new", status="DONE")
    make(base / "old", record="nni.sqlite")
    (base / "failed" / "log").mkdir(parents=True)
    (base / "failed" / "log" / "nnictl_stderr.log").touch()
    (base / "notes").mkdir()
    (base / "a file").touch()
    (base / "with blank").mkdir()
    (base / "_latest").symlink_to("new")
    found = {folder.experiment_id: folder for folder in find_experiments()}
    assert set(found) == {"new", "old", "failed"}
    assert [found[name].kind for name in found] == [
        FolderKind.OLD if name == "old" else FolderKind.EXPERIMENT for name in found
    ]
    assert {name for name, folder in found.items() if folder.has_record} == {"new", "old"}
    assert found["new"].directory == base
    assert found["new"].path == base / "new"
    assert found["new"].status == "DONE"
    assert found["old"].status is None
    assert found["old"].status_text == "UNKNOWN"


@pytest.mark.parametrize("wrong", ["../x", "", "a/b", "x" * 33, "."])
def test_what_cannot_be_an_id_is_found_nowhere(home, wrong):
    (home / "nni-experiments" / "x").mkdir(parents=True)
    assert find_experiment(wrong) is None


@pytest.mark.parametrize("status", ["RUNNING", "STOPPING", "NO_MORE_TRIAL", "TUNER_NO_MORE_TRIAL"])
def test_one_whose_manager_has_gone_has_stopped(home, status):
    folder = make(home / "nni-experiments" / "abc", status=status)
    found = find_experiment("abc")
    assert (found.status, found.is_interrupted, found.is_running) == ("STOPPED", True, False)
    assert found.status_text == "STOPPED (its manager has gone; resume it)"
    run_by_this_process(folder)
    found = find_experiment("abc")
    assert (found.status, found.is_interrupted, found.is_running) == (status, False, True)
    assert found.manager.port == 8080
    assert found.status_text == status


@pytest.mark.parametrize("status", ["DONE", "STOPPED", "ERROR", "INITIALIZED"])
def test_one_that_has_ended_is_what_it_was(home, status):
    make(home / "nni-experiments" / "abc", status=status)
    found = find_experiment("abc")
    assert (found.status, found.is_interrupted) == (status, False)


def test_a_manager_whose_process_has_gone_does_not_count(home):
    folder = make(home / "nni-experiments" / "abc", status="RUNNING")
    record = ManagerRecord("abc", os.getpid(), 1.0, 8080, "127.0.0.1", "", "t", str(folder))
    write_manager_record(record, folder)
    assert find_experiment("abc").manager is None


def test_the_oldest_comes_first(home):
    for name, created in (("b", 5.0), ("c", 1.0), ("a", 5.0)):
        make(home / "nni-experiments" / name, status="DONE", created_at=created)
    assert [folder.experiment_id for folder in find_experiments()] == ["c", "a", "b"]


def test_directories_are_remembered(home):
    other = home / "elsewhere"
    make(other / "abc", status="DONE")
    assert find_experiment("abc") is None
    remember_experiments_directory(other)
    remember_experiments_directory(other)
    remember_experiments_directory(home / "gone")
    remember_experiments_directory(home / "nni-experiments")
    assert experiments_directories() == [other]
    assert find_experiment("abc").path == other / "abc"
    assert find_experiments()[0].experiment_id == "abc"
    assert find_experiments([home / "nni-experiments"]) == []
    assert stat.S_IMODE(remembered_file().stat().st_mode) == 0o600
    assert remembered_file().read_text().count("\n") == 2


def test_losing_the_note_loses_nothing_of_the_default_folder(home):
    make(home / "nni-experiments" / "abc", status="DONE")
    remember_experiments_directory(home / "elsewhere")
    remembered_file().unlink()
    assert find_experiment("abc") is not None


@pytest.mark.parametrize(
    "damage", ["", "{", '"relative"\n', "[1]\n", "\0\n", '"/a\\u0000"\n', '"/unfinished']
)
def test_a_damaged_note_is_passed_over_and_added_to(home, damage):
    (home / "elsewhere").mkdir()
    remembered_file().parent.mkdir(parents=True)
    remembered_file().write_text(damage)
    remember_experiments_directory(home / "elsewhere")
    assert experiments_directories() == [home / "elsewhere"]


def test_a_note_that_cannot_be_written_stops_nothing(home, caplog, monkeypatch):
    (home / "file").touch()
    monkeypatch.setenv("NNI_CONFIG_DIR", str(home / "file"))
    remember_experiments_directory(home / "elsewhere")
    assert "cannot be noted" in caplog.text


def test_writers_at_the_same_time_lose_nothing(home):
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from nni_config.experiment_folders import remember_experiments_directory\n"
        "for number in range(int(sys.argv[1]), 40, 4):\n"
        "    remember_experiments_directory(Path.home() / f'd{number}')\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(start)]) for start in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    lines = remembered_file().read_text().splitlines()
    assert sorted(map(json.loads, lines)) == sorted(str(home / f"d{number}") for number in range(40))


def test_the_first_folder_with_a_record_counts(home):
    first, second = home / "first", home / "second"
    (first / "abc" / "log").mkdir(parents=True)
    (first / "abc" / "log" / "nnimanager.log").touch()
    assert not find_experiment("abc", [first, second]).has_record
    make(second / "abc", status="DONE")
    assert find_experiment("abc", [first, second]).path == second / "abc"
    assert find_experiment("abc", [second]).path == second / "abc"


def test_managers_are_found_in_remembered_folders_when_the_runtime_folder_was_emptied(home):
    folder = make(home / "elsewhere" / "abc", status="RUNNING")
    remember_experiments_directory(home / "elsewhere")
    record = run_by_this_process(folder)
    for path in (home / "runtime" / "managers").iterdir():
        path.unlink()
    assert running_managers() == [record]
    assert local_state.find_manager_by_port(8080) == record
    assert local_state.find_manager_by_experiment("abc") == record
    (folder / "manager.json").unlink()
    assert running_managers() == []


def test_managers_are_found_in_the_runtime_folder_when_their_note_was_deleted(home):
    folder = make(home / "elsewhere" / "abc", status="RUNNING")
    record = run_by_this_process(folder)
    (folder / "manager.json").unlink()
    assert find_experiment("abc", [home / "elsewhere"]).manager == record


def test_a_folder_of_experiments_that_cannot_be_read_is_told(home, caplog, monkeypatch):
    base = home / "nni-experiments"
    base.mkdir()

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert find_experiments() == []
    assert "cannot be read" in caplog.text


def test_a_summary_comes_back_as_it_was(tmp_path):
    summary = ExperimentSummary(
        "abc",
        "Über\n'x'",
        "DONE",
        "local,remote",
        1.5,
        started_at=2.5,
        ended_at=None,
        running_seconds=3.25,
        trial_counts={"SUCCEEDED": 3, "FAILED": 1},
        max_trial_number=4,
        optimize_mode="minimize",
        best_trial_id="t1",
        best_objective=float("inf"),
        paused=True,
        written_at=9.0,
    )
    write_summary(summary, tmp_path)
    assert read_summary(tmp_path) == summary
    assert summary.trial_count == 4
    assert stat.S_IMODE((tmp_path / "summary.json").stat().st_mode) == 0o600


def test_what_a_later_version_adds_is_passed_over(tmp_path):
    write_summary(ExperimentSummary("abc", "", "DONE", "local", 1.0), tmp_path)
    values = json.loads((tmp_path / "summary.json").read_text())
    (tmp_path / "summary.json").write_text(json.dumps({**values, "colour": "blue"}))
    assert read_summary(tmp_path).status == "DONE"


@pytest.mark.parametrize(
    "damage",
    ["", "{", "[]", "null", "{}", '{"experiment_id": 5}', "\udcff"],
)
def test_a_damaged_summary_is_none(tmp_path, damage):
    (tmp_path / "summary.json").write_bytes(damage.encode("utf-8", "surrogateescape"))
    assert read_summary(tmp_path) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", None),
        ("created_at", "1"),
        ("trial_counts", []),
        ("trial_counts", {"DONE": "5"}),
        ("paused", 1),
    ],
)
def test_a_summary_with_a_value_of_another_type_is_none(tmp_path, field, value):
    write_summary(ExperimentSummary("abc", "", "DONE", "local", 1.0), tmp_path)
    values = json.loads((tmp_path / "summary.json").read_text())
    (tmp_path / "summary.json").write_text(json.dumps({**values, field: value}))
    assert read_summary(tmp_path) is None
