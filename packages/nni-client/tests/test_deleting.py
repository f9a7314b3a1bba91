"""nnictl experiment delete: the whole folder, nothing outside of it, nothing that runs."""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from nni_client.commands import main
from nni_config import deleting
from nni_config.experiment_folders import find_experiment, find_experiments
from nni_config.experiment_summary import ExperimentSummary, write_summary
from nni_config.local_state import ManagerRecord, write_manager_record
from nni_config.processes import process_start_time
from nni_config.remembered_directories import remember_experiments_directory

DAY = 24 * 3600.0


@pytest.fixture
def nnictl(home, capsys, monkeypatch):
    """Runs nnictl in this process and returns what it printed."""

    def run(*words, exit_code=0, answer=""):
        # What deletes "all" must never see the folders of whoever runs the tests.
        assert Path.home() == home and os.environ["NNI_CONFIG_DIR"] == str(home / "config")
        monkeypatch.setattr(sys, "argv", ["nnictl", "experiment", "delete", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        try:
            main()
            code = 0
        except SystemExit as error:
            code = error.code or 0
        captured = capsys.readouterr()
        assert code == exit_code, captured
        assert "Traceback" not in captured.err
        return captured.err if exit_code else captured.out

    monkeypatch.setenv("NNI_CONFIG_DIR", str(home / "config"))
    return run


@pytest.fixture
def experiments(home):
    return home / "nni-experiments"


@pytest.fixture
def make(experiments):
    """Makes the folder of an experiment that ended some days ago."""

    def make(experiment_id, days=0.0, directory=experiments, status="DONE"):
        path = directory / experiment_id
        for name in ("db", "log", "trials/abcde/.nni/0", "sdk"):
            (path / name).mkdir(parents=True)
        (path / "db" / "experiment.sqlite").write_bytes(b"x" * 100_000)
        (path / "log" / "nnimanager.log").touch()
        ended = time.time() - days * DAY
        summary = ExperimentSummary(experiment_id, "named", status, "local", ended - 9, ended_at=ended)
        write_summary(summary, path)
        return path

    return make


def test_one_is_deleted_wholly_and_nothing_else(nnictl, make, tmp_path):
    path, other = make("abc1"), make("abd2")
    outside = tmp_path / "data"
    outside.mkdir()
    (outside / "precious").touch()
    (path / "trials" / "data").symlink_to(outside)
    (path / "trials" / "precious").symlink_to(outside / "precious")
    (path / "link").symlink_to(outside)
    (path / "sdk" / "nni").symlink_to(Path(__file__).parent)
    os.mkfifo(path / "trials" / "pipe")
    closed = path / "trials" / "closed"
    closed.mkdir()
    (closed / "file").touch()
    closed.chmod(0o500)
    text = nnictl("abc", "-y")
    assert "Deleted experiment abc1\n" in text
    assert re.search(r"^Freed 1\d\d\.\d KiB\.$", text, re.MULTILINE)
    assert not path.exists()
    assert other.is_dir() and (outside / "precious").exists() and Path(__file__).exists()


@pytest.mark.parametrize("answer", ["n\n", "\n", "no\n"])
def test_it_asks(nnictl, make, answer):
    path = make("abc1")
    text = nnictl("abc1", answer=answer)
    assert "Delete 1 experiment, " in text and "for good? [y/N]: " in text and "Nothing was deleted." in text
    assert path.is_dir()


def test_yes_and_no_answer(nnictl, make):
    path = make("abc1")
    assert "nobody answered; --yes deletes without asking" in nnictl("abc1", answer="", exit_code=1)
    assert path.is_dir()
    assert "Deleted experiment abc1" in nnictl("abc1", answer="y\n")
    assert not path.exists()


def test_old_ones_everywhere_first_to_see_and_then_for_good(nnictl, make, tmp_path):
    old, new = make("old1", 40), make("new1", 20)
    elsewhere = make("old2", 31, tmp_path / "place of its own")
    remember_experiments_directory(tmp_path / "place of its own")
    text = nnictl("--older-than", "30d", "--dry-run")
    lines = [line.split()[0] for line in text.splitlines()]
    assert lines[:3] == ["ID", "old1", "old2"]
    assert str(elsewhere) in text
    assert "Would delete 2 experiments, " in text
    assert old.is_dir() and elsewhere.is_dir()
    nnictl("--older-than", "30d", "-y")
    assert not old.exists() and not elsewhere.exists() and new.is_dir()
    assert nnictl("--older-than", "30d", "-y") == "There is nothing to delete.\n"


def test_all_in_a_relative_folder(nnictl, make, tmp_path, monkeypatch):
    outside = make("abc0")
    monkeypatch.chdir(tmp_path)
    paths = [make(f"abc{number}", directory=tmp_path / "here") for number in (1, 2)]
    nnictl("--all", "-y", "-e", "here")
    assert not any(path.exists() for path in paths)
    assert outside.is_dir() and (tmp_path / "here").is_dir()


def record_of(path, pid):
    return ManagerRecord(path.name, pid, process_start_time(pid), 1, "127.0.0.1", "", "t", str(path))


def test_what_runs_is_kept(nnictl, make, capsys):
    path, other = make("abc1", 40), make("abc2", 40)
    write_manager_record(record_of(path, os.getpid()), path)
    text = nnictl("abc1", "-y", exit_code=1)
    assert text == "ERROR: Experiment abc1 is running, on port 1; stop it first: nnictl stop abc1\n"
    nnictl("--older-than", "1d", "--all", "-y")
    assert path.is_dir() and not other.exists()


def test_what_a_manager_is_just_taking_is_kept(nnictl, make):
    path = make("abc1")
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        assert "is being started or ended by a manager" in nnictl("abc1", "-y", exit_code=1)
    finally:
        os.close(descriptor)
    assert path.is_dir()


def test_what_has_trials_that_run_on_is_kept(nnictl, make):
    path = make("abc1")
    attempt = path / "trials" / "abcde" / ".nni" / "0"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with subprocess.Popen(["sleep", "100"]) as process:
        ticks = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
        runner = {"pid": process.pid, "start_time": ticks}
        (attempt / "run.json").write_text(json.dumps({"boot_id": boot, "runner": runner}))
        assert "has trials that still run (abcde)" in nnictl("abc1", "-y", exit_code=1)
        process.kill()
    assert path.is_dir()
    nnictl("abc1", "-y")
    assert not path.exists()


def test_what_is_no_experiment_is_kept(nnictl, make, experiments, tmp_path):
    make("abc1")
    (experiments / "folder").mkdir()
    (experiments / "folder" / "file").touch()
    real = make("other", directory=tmp_path / "elsewhere")
    (experiments / "linked").symlink_to(real)
    for name in ("folder", "linked", "..", ".", "_latest", str(real), "", "none"):
        assert "There is no experiment" in nnictl(name, "-y", exit_code=1)
    assert real.is_dir() and (experiments / "folder" / "file").exists()
    for words in ([], ["abc1", "--all"], ["abc1", "--older-than", "3d"]):
        nnictl(*words, "-y", exit_code=2)
    assert "is not a duration" in nnictl("--older-than", "old", "-y", exit_code=1)


def test_one_of_nni_is_kept(nnictl, experiments):
    (experiments / "old" / "db").mkdir(parents=True)
    (experiments / "old" / "db" / "nni.sqlite").touch()
    assert f"by hand: remove {experiments}/old" in nnictl("old", "-y", exit_code=1)
    nnictl("--all", "-y")
    assert (experiments / "old").is_dir()


def test_a_mount_is_not_entered(nnictl, make, monkeypatch):
    path = make("abc1")
    monkeypatch.setattr(deleting, "mounts_below", lambda folder: [folder / "trials" / "data"])
    text = nnictl("abc1", "-y", exit_code=1)
    assert f"another file system is mounted in its folder, at {path}/trials/data; unmount it first" in text
    assert path.is_dir()


def test_the_link_to_the_latest_one_is_repaired(nnictl, make, experiments):
    make("first", 3), make("second", 2), make("third", 1)
    link = experiments / "_latest"
    link.symlink_to("third")
    nnictl("first", "-y")
    assert link.readlink() == Path("third")
    nnictl("third", "-y")
    assert link.readlink() == Path("second")
    nnictl("second", "-y")
    assert list(experiments.iterdir()) == []


def test_what_could_not_be_deleted_wholly_can_be_deleted_again(nnictl, make, monkeypatch):
    path, other = make("abc1"), make("abc2")
    remove = deleting.shutil.rmtree

    def refuse(folder):
        if folder.name == "trials" and "abc1" in folder.parent.name:
            raise PermissionError(13, "Permission denied", str(folder))
        remove(folder)

    monkeypatch.setattr(deleting.shutil, "rmtree", refuse)
    text = nnictl("--all", "-y", exit_code=1)
    assert "ERROR: experiment abc1 is not deleted" in text and "Permission denied" in text
    assert (path / "db" / "experiment.sqlite").exists() and not other.exists()
    monkeypatch.setattr(deleting.shutil, "rmtree", remove)
    assert "Deleted experiment abc1" in nnictl("abc1", "-y")
    assert list(path.parent.iterdir()) == []


def test_what_a_killed_deletion_left_is_removed_by_the_next(nnictl, make, monkeypatch):
    folder = make("one").parent
    make("two")
    make("three")
    remove = deleting._remove

    def die(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(deleting, "_remove", die)
    with pytest.raises(KeyboardInterrupt):
        deleting.delete_experiment(find_experiment("one", [folder]))
    monkeypatch.setattr(deleting, "_remove", remove)
    assert {it.experiment_id for it in find_experiments([folder])} == {"three", "two"}
    (leftover,) = (it for it in folder.iterdir() if "deleting" in it.name)
    (folder / ".mine.deleting").mkdir()
    held = os.open(leftover, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)  # as if it were just being deleted
    deleting.delete_experiment(find_experiment("two", [folder]))
    assert leftover.exists()
    os.close(held)
    deleting.delete_experiment(find_experiment("three", [folder]))
    assert [it.name for it in folder.iterdir()] == [".mine.deleting"]
