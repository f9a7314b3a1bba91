"""nnictl experiment save and load: nothing secret goes out, nothing harmful comes in."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nni_client import archive_check, loading
from nni_client.archive_layout import MANIFEST, ArchiveError, Manifest, stays_inside
from nni_client.commands import main
from nni_client.loading import load_experiment
from nni_client.record_copy import moved
from nni_config.trial_ids import trial_id

CONFIG = {
    "trialCodeDirectory": "/old/code",
    "experimentWorkingDirectory": "/old",
    "searchSpace": {"größe": {"_type": "choice", "_value": [1, 2]}},
    "tuner": {"className": "mine.Tuner", "codeDirectory": "/old/code/tuners"},
    "trainingService": {"platform": "local", "trialCodeDirectory": "/old/code"},
}
LINK = (stat.S_IFLNK | 0o777) << 16


@pytest.fixture
def nnictl(home, capsys, monkeypatch):
    """Runs nnictl in this process and returns what it printed."""

    def run(*words, exit_code=0):
        monkeypatch.setattr(sys, "argv", ["nnictl", "experiment", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as error:
            code = error.code or 0
        captured = capsys.readouterr()
        assert code == exit_code, captured
        assert "Traceback" not in captured.err
        return captured.out + captured.err

    monkeypatch.setenv("NNI_CONFIG_DIR", str(home / "config"))
    return run


def make_record(path, experiment_id="abc1", config=CONFIG, application_id=0x4E4E4934, more=""):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            f"PRAGMA application_id = {application_id}; PRAGMA journal_mode = WAL;"
            "CREATE TABLE experiment (id INTEGER PRIMARY KEY, experiment_id TEXT);"
            "CREATE TABLE experiment_config (id INTEGER PRIMARY KEY, config TEXT);" + more
        )
        with connection:
            connection.execute("INSERT INTO experiment VALUES (1, ?)", (experiment_id,))
            connection.execute("INSERT INTO experiment_config VALUES (1, ?)", (json.dumps(config),))
    return path


def config_of(folder):
    with closing(sqlite3.connect(folder / "db" / "experiment.sqlite")) as connection:
        return json.loads(connection.execute("SELECT config FROM experiment_config").fetchone()[0])


@pytest.fixture
def experiments(home):
    return home / "nni-experiments"


@pytest.fixture
def saved(experiments, tmp_path):
    """An experiment with all that can be in its folder, and its code."""
    path = experiments / "abc1"
    for name in ("db", "log", "sdk", "checkpoint", "trials/t1/.nni/0", "trials/t1/.nni/1"):
        (path / name).mkdir(parents=True)
    code = tmp_path / "code"
    for name in (".git", "__pycache__", "venv", "tuners", "experiments/zzz/db"):
        (code / name).mkdir(parents=True)
        (code / name / "file").touch()
    (code / "venv" / "pyvenv.cfg").touch()
    (code / "experiments" / "zzz" / "db" / "experiment.sqlite").touch()
    (code / "run.sh").write_text("echo")
    (code / "run.sh").chmod(0o755)
    config = {**CONFIG, "trialCodeDirectory": str(code), "tuner": {"codeDirectory": str(code / "tuners")}}
    config["trainingService"] = {"platform": "local", "trialCodeDirectory": str(code)}
    make_record(path / "db" / "experiment.sqlite", config=config)
    for name in ("secret", "manager.json", "manager-ca.pem", ".manager.json.x", "summary.json", "db/other"):
        (path / name).write_text("SECRET")
    (path / "mark").write_text("x1234567")
    (path / "sdk" / "nni").symlink_to("/usr")
    trial = path / "trials" / "t1"
    (trial / "größe 1.txt").write_text("größe")
    (trial / "latest").symlink_to("größe 1.txt")
    (trial / "outside").symlink_to("/etc/passwd")
    (trial / "up").symlink_to("../../secret")
    (trial / "far").symlink_to("../../../secret")
    os.mkfifo(trial / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        cwd = Path.cwd()
        os.chdir(trial)
        listener.bind("socket")
        os.chdir(cwd)
    for attempt in (0, 1):
        (trial / ".nni" / str(attempt) / "run.json").write_text("{}")
    (trial / ".nni" / "0" / "exit.json").write_text("{}")
    os.utime(trial / "größe 1.txt", (0, 0))  # before the first day that zip files know
    return path


def names_in(archive):
    with zipfile.ZipFile(archive) as file:
        return {info.filename for info in file.infolist()}


def test_what_is_saved(nnictl, saved, tmp_path):
    text = nnictl("save", "abc1", "-p", tmp_path / "out")
    archive = tmp_path / "out" / "nni_experiment_abc1.zip"
    assert f"Saved experiment abc1 to {archive}, " in text
    inside = {
        f"experiment/{name}"
        for name in ("log/", "checkpoint/", "trials/", "trials/t1/", "summary.json", "mark")
    }
    inside |= {f"experiment/trials/t1/{name}" for name in ("größe 1.txt", "latest", "up", ".nni/")}
    inside |= {f"experiment/trials/t1/.nni/{name}" for name in ("0/", "1/", "0/run.json", "0/exit.json")}
    assert names_in(archive) == {MANIFEST, "experiment/db/experiment.sqlite", *inside}
    for name in (
        "outside: a link out of the folder",
        "far: a link out",
        "pipe: neither a file",
        "socket: neither",
    ):
        assert f"Left out: {saved}/trials/t1/{name}" in text
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    with zipfile.ZipFile(archive) as file:
        assert not any(b"SECRET" in file.read(name) for name in file.namelist() if "summary" not in name)
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]


def test_it_is_loaded_with_its_code_elsewhere(nnictl, saved, tmp_path, experiments, monkeypatch):
    monkeypatch.chdir(tmp_path / "code")  # the archive is made in what it has to hold
    nnictl("save", "abc", "--saveCodeDir", "-p", ".")
    archive = tmp_path / "code" / "nni_experiment_abc1.zip"
    assert {name for name in names_in(archive) if name.startswith("code/")} == {
        "code/run.sh",
        "code/tuners/",
        "code/tuners/file",
        "code/experiments/",
    }
    assert "there is an experiment abc1 already" in nnictl("load", "-p", archive, "-c", "x", exit_code=1)
    saved.rename(tmp_path / "gone")
    changed = (tmp_path / "code" / "run.sh").stat().st_mtime_ns
    new_code, space = tmp_path / "new" / "code", tmp_path / "space.json"
    text = nnictl("load", "-p", archive, "--codeDir", new_code, "-l", tmp_path / "place", "-s", space)
    folder = tmp_path / "place" / "abc1"
    assert f"Loaded experiment abc1 into {folder}" in text and f"code is in {new_code}" in text
    assert json.loads(space.read_text(encoding="utf-8")) == CONFIG["searchSpace"]
    config = config_of(folder)
    assert config["trialCodeDirectory"] == config["trainingService"]["trialCodeDirectory"] == str(new_code)
    assert config["tuner"]["codeDirectory"] == str(new_code / "tuners")
    assert config["experimentWorkingDirectory"] == str(tmp_path / "place")
    assert os.access(new_code / "run.sh", os.X_OK) and not os.access(new_code / "tuners" / "file", os.X_OK)
    assert (new_code / "run.sh").stat().st_mtime_ns == changed
    trial = folder / "trials" / "t1"
    assert (trial / "größe 1.txt").read_text(encoding="utf-8") == "größe"
    assert (trial / "latest").readlink() == Path("größe 1.txt")
    assert not (folder / "secret").exists()
    assert (folder / "mark").read_text() == "x1234567", "its jobs on platforms are named by it"
    for path in folder.rglob("*"):
        if not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert [path.name for path in (folder / "db").iterdir()] == ["experiment.sqlite"]
    # It is found without naming its folder.
    assert "abc1" in nnictl("list", "--all") and "exists already" in nnictl(
        "save", "abc1", "-p", archive, exit_code=1
    )


def test_one_that_is_written_to_is_saved_whole(nnictl, saved, tmp_path):
    writer = sqlite3.connect(saved / "db" / "experiment.sqlite", isolation_level=None)
    writer.execute("UPDATE experiment_config SET config = json_set(config, '$.experimentName', 'kept')")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM experiment_config")
    assert (saved / "db" / "experiment.sqlite-wal").stat().st_size > 0
    nnictl("save", "abc1", "-p", tmp_path / "a.zip")
    writer.execute("ROLLBACK")
    writer.close()
    loaded = (
        load_experiment(tmp_path / "a.zip", tmp_path / "place") if saved.rename(tmp_path / "gone") else None
    )
    assert loaded.config["experimentName"] == "kept"


def test_what_cannot_be_saved(nnictl, saved, experiments, tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_text("what was there")
    assert "exists already; --force replaces it" in nnictl("save", "abc1", "-p", archive, exit_code=1)
    assert archive.read_text() == "what was there"
    nnictl("save", "abc1", "-p", archive, "--force")
    assert zipfile.is_zipfile(archive)
    (tmp_path / "code").rename(tmp_path / "moved")
    text = nnictl("save", "abc1", "-s", "-p", tmp_path / "b.zip", exit_code=1)
    assert f"the folder of the trials' code, {tmp_path}/code, is gone" in text
    (saved / "db" / "experiment.sqlite").write_bytes(b"x" * 5000)
    assert "file is not a database" in nnictl("save", "abc1", "-p", tmp_path / "b.zip", exit_code=1)
    (experiments / "old" / "db").mkdir(parents=True)
    (experiments / "old" / "db" / "nni.sqlite").touch()
    assert "was made by Microsoft's NNI" in nnictl("save", "old", "-p", tmp_path / "b.zip", exit_code=1)
    assert sorted(path.name for path in tmp_path.glob("*b.zip*")) == []


# -- archives made to do harm --


def entry(name, mode=stat.S_IFREG | 0o644, method=zipfile.ZIP_STORED):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr, info.compress_type = 3, mode << 16, method
    return info


@pytest.fixture
def forge(tmp_path):
    """Makes an archive; whatever it does, nothing must come to be outside of `place`."""
    place = tmp_path / "place"

    def make(*more, manifest=None, **record):
        archive = tmp_path / "forged.zip"
        with zipfile.ZipFile(archive, "w") as file:
            text = Manifest("abc1", True, False, 1.0, "4").to_json() if manifest is None else manifest
            file.writestr(entry(MANIFEST), text)
            data = make_record(tmp_path / "record", **record).read_bytes()
            file.writestr(entry("experiment/db/experiment.sqlite"), data)
            for info, data in more:
                file.writestr(info if isinstance(info, zipfile.ZipInfo) else entry(info), data)
        (tmp_path / "record").unlink()
        return archive

    make.place = place
    return make


def refused(nnictl, forge, archive, tmp_path, *words):
    before = {
        path for path in tmp_path.rglob("*") if "config" not in path.parts and "runtime" not in path.parts
    }
    text = nnictl("load", "-p", archive, "-l", forge.place, "-c", tmp_path / "code", *words, exit_code=1)
    after = {
        path for path in tmp_path.rglob("*") if "config" not in path.parts and "runtime" not in path.parts
    }
    assert after - before <= {forge.place}
    assert text.startswith(f"ERROR: {archive} cannot be loaded: ")
    return text


@pytest.mark.parametrize("root", ["experiment", "code"])
@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../../evil",
        "/evil",
        "a//b",
        "./a",
        "a/.",
        "..",
        "a\\..\\evil",
        "a" * 300,
        "é" * 200,
    ],
)
def test_paths_that_climb_out(nnictl, forge, tmp_path, root, name):
    for full in (name, f"C:/{root}"):
        refused(nnictl, forge, forge((full, b"x")), tmp_path)
    refused(nnictl, forge, forge((f"{root}/{name}", b"x")), tmp_path)


@pytest.mark.parametrize(
    "name", ["secret", "manager.json", "sdk/nni/__init__.py", "db/experiment.sqlite-wal", "db/x"]
)
def test_what_no_archive_has(nnictl, forge, tmp_path, name):
    assert "nothing that an archive of an experiment has" in refused(
        nnictl, forge, forge((f"experiment/{name}", b"x")), tmp_path
    )


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_devices(nnictl, forge, tmp_path, kind):
    text = refused(nnictl, forge, forge((entry("experiment/x", kind | 0o600), b"")), tmp_path)
    assert "is neither a file nor a folder nor a link" in text


@pytest.mark.parametrize(
    "target",
    ["/etc", "..", "../..", "a/../..", "a/..", "../code", "", "x" * 5000, "a\\b", b"\xff", "../x/../.."],
)
def test_links_out(nnictl, forge, tmp_path, target):
    link = (entry("experiment/link", stat.S_IFLNK | 0o777), target)
    assert "is a link that leads out of its folder" in refused(nnictl, forge, forge(link), tmp_path)


def test_files_through_links_and_in_files(nnictl, forge, tmp_path):
    link = (entry("experiment/a/link", stat.S_IFLNK | 0o777), "..")
    for first in (link, ("experiment/a/link", b"")):
        archive = forge(first, ("experiment/a/link/x", b"x"))
        assert "lies in what is no folder" in refused(nnictl, forge, archive, tmp_path)


def test_two_entries_of_one_name(nnictl, forge, tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = forge(("experiment/a", b"1"), ("experiment/a", b"2"))
    assert "is there twice" in refused(nnictl, forge, archive, tmp_path)


def test_names_that_are_the_same_here(nnictl, forge, tmp_path, monkeypatch):
    archive = forge(("experiment/a", b"1"), ("experiment/A", b"2"))
    real = os.open

    def fold(path, flags, *rest, **options):
        path = path.with_name(path.name.lower()) if isinstance(path, Path) and path.name == "A" else path
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(loading.os, "open", fold)
    assert "has the name of another one here" in refused(nnictl, forge, archive, tmp_path)


def test_bombs(nnictl, forge, tmp_path, monkeypatch):
    monkeypatch.setattr(archive_check, "ALWAYS_ALLOWED_BYTES", 100_000)
    bomb = (entry("experiment/zeros", method=zipfile.ZIP_DEFLATED), b"\0" * 20_000_000)
    text = refused(nnictl, forge, forge(bomb), tmp_path)
    assert "its files would take 200" in text and "--max-size allows it" in text
    refused(nnictl, forge, forge(bomb), tmp_path, "--max-size", "10mb")
    nnictl("load", "-p", forge(bomb), "-l", forge.place, "--max-size", "30mb")


def test_more_than_it_said(nnictl, forge, tmp_path):
    archive = forge((entry("experiment/zeros", method=zipfile.ZIP_DEFLATED), b"\0" * 1_000_000))
    content = archive.read_bytes()
    assert content.count((1_000_000).to_bytes(4, "little")) == 2
    archive.write_bytes(content.replace((1_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    assert "is no zip file or is damaged" in refused(nnictl, forge, archive, tmp_path)


def test_what_the_disk_cannot_hold(nnictl, forge, tmp_path, monkeypatch):
    usage = loading.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(loading.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    assert "has 1000 left" in refused(nnictl, forge, forge(), tmp_path)


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"experiment_id": "other"}, "its record is not of the experiment abc1"),
        ({"application_id": 7}, "its record is not that of an experiment"),
        ({"config": [1]}, "its record has no configuration"),
        (
            {"more": "CREATE TRIGGER t AFTER UPDATE ON experiment_config BEGIN DELETE FROM experiment; END;"},
            "its record has 't', which no record has",
        ),
        ({"more": "CREATE VIRTUAL TABLE v USING fts5(a);"}, "its record has 'v', which no record has"),
    ],
)
def test_records_that_are_none(nnictl, forge, tmp_path, record, problem):
    assert problem in refused(nnictl, forge, forge(**record), tmp_path)


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        ("", "is malformed"),
        ("[" * 50_000, "is malformed"),
        ("x" * 70_000, "is malformed"),
        ('{"format": 1}', "is malformed"),
        ('{"format": 2, "version": "5.0"}', "saved by a newer program, version 5.0"),
        (
            Manifest("../evil", True, False, 1.0, "4").to_json(),
            "names the experiment '../evil', which is no id",
        ),
    ],
)
def test_manifests_that_are_none(nnictl, forge, tmp_path, manifest, problem):
    assert problem in refused(nnictl, forge, forge(manifest=manifest), tmp_path)


def test_other_files(nnictl, forge, tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_text("no zip")
    assert "File is not a zip file" in refused(nnictl, forge, archive, tmp_path)
    for name, problem in (("nnictl/.experiment", "saved by Microsoft's NNI"), ("readme", "it is no archive")):
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(name, "{}")
        assert problem in refused(nnictl, forge, archive, tmp_path)
    assert "No such file" in nnictl("load", "-p", tmp_path / "none.zip", exit_code=1)


def test_code_that_is_there_already_or_missing(nnictl, forge, tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "mine.py").touch()
    archive = forge(("code/run.sh", b"x"))
    assert "is not empty; name a new or empty folder" in refused(nnictl, forge, archive, tmp_path)
    text = nnictl("load", "-p", archive, "-l", forge.place)
    assert "--codeDir names the folder for it" in text
    assert config_of(forge.place / "abc1")["trialCodeDirectory"] == "/old/code"


def test_without_code_the_folder_has_to_be_there(nnictl, forge, tmp_path):
    archive = forge(manifest=Manifest("abc1", False, False, 1.0, "4").to_json())
    assert "is no folder that has it" in refused(nnictl, forge, archive, tmp_path)
    (tmp_path / "code").mkdir()
    nnictl("load", "-p", archive, "-l", forge.place, "-c", tmp_path / "code")
    assert config_of(forge.place / "abc1")["trialCodeDirectory"] == str(tmp_path / "code")


def test_while_trials_of_the_same_id_run_here(nnictl, forge, tmp_path):
    environment = {**os.environ, "NNI_EXP_ID": "abc1"}
    with subprocess.Popen(["sleep", "100"], env=environment) as process:
        text = refused(nnictl, forge, forge(), tmp_path)
        process.kill()
    assert f"run on this machine (process {process.pid})" in text


TRIALS = """
CREATE TABLE trials (sequence_number INTEGER PRIMARY KEY, trial_id TEXT NOT NULL UNIQUE);
CREATE TABLE metrics (row INTEGER PRIMARY KEY, trial_id TEXT NOT NULL);
CREATE TABLE "report ""files" (trial_id TEXT, attempt INTEGER, PRIMARY KEY (trial_id, attempt)) WITHOUT ROWID;
"""


def test_under_another_id_trials_follow(forge, home):
    # The new id of the first is the old one of the second.
    first, second = (trial_id("new", number) for number in range(2))
    rows = "".join(
        f"INSERT INTO trials VALUES ({number}, '{old}'); INSERT INTO metrics VALUES ({number}, '{old}');"
        f'INSERT INTO "report ""files" VALUES (\'{old}\', 0);'
        for number, old in ((1, "older"), (0, second))
    )
    archive = forge(
        (f"experiment/trials/{second}/file", "0"),
        ("experiment/trials/older/file", "1"),
        ("experiment/trials/unknown/file", "2"),
        more=TRIALS + rows,
    )
    loaded = load_experiment(archive, forge.place, new_id="new")
    assert (loaded.path, loaded.experiment_id) == (forge.place / "new", "new")
    with closing(sqlite3.connect(loaded.path / "db" / "experiment.sqlite")) as connection:
        assert connection.execute("SELECT experiment_id FROM experiment").fetchall() == [("new",)]
        for table in ("trials", "metrics"):
            found = connection.execute(f"SELECT trial_id FROM {table} ORDER BY 1").fetchall()
            assert found == [(name,) for name in sorted((first, second))]
        assert connection.execute("SELECT trial_id FROM trials WHERE sequence_number = 0").fetchone() == (
            first,
        )
        found = connection.execute('SELECT count(*) FROM "report ""files" WHERE trial_id <> ?', ("older",))
        assert found.fetchone() == (2,)
    texts = {path.parent.name: path.read_text() for path in loaded.path.glob("trials/*/file")}
    assert texts == {first: "0", second: "1", "unknown": "2"}
    assert sorted(path.name for path in loaded.path.iterdir()) == ["db", "trials"]


def test_another_id_that_cannot_be(nnictl, forge, tmp_path):
    (tmp_path / "code").mkdir()
    for wrong in ("../x", "a b", "x" * 33):
        text = nnictl("load", "-p", forge(), "-l", forge.place, "--id", wrong, exit_code=1)
        assert "is no id of an experiment" in text
    refused(nnictl, forge, forge(), tmp_path, "--id", "new")  # a record without trials is none
    old, clash = "older", trial_id("new", 0)
    more = TRIALS + f"INSERT INTO trials VALUES (0, '{old}');"
    archive = forge((f"experiment/trials/{old}/x", ""), (f"experiment/trials/{clash}/x", ""), more=more)
    assert f"two folders of a trial {clash}" in refused(nnictl, forge, archive, tmp_path, "--id", "new")


def test_a_failure_at_the_end_leaves_nothing(forge, home, tmp_path, monkeypatch):
    archive = forge(("code/run.sh", b"x"))
    rename = Path.rename

    def fail(self, target):
        if target == tmp_path / "code":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(KeyboardInterrupt):
        load_experiment(archive, forge.place, tmp_path / "code")
    assert list(forge.place.iterdir()) == []
    assert not (tmp_path / "code").exists()
    assert not list(tmp_path.glob(".loading-*"))


PARTS = st.sampled_from(["..", ".", "", "a", "b", "link"])


@given(st.lists(PARTS, max_size=6), st.integers(0, 3))
@example(["..", "..", "a"], 2)
def test_links_that_stay_inside_stay_inside(parts, depth):
    # Every name on the way may be a link to the top of the folder, from where ".." leads out.
    link = "/".join(["x"] * depth + ["link"])
    position = depth
    escapes = "/".join(parts).startswith("/") or not "/".join(parts)
    for part in parts:
        if part == "..":
            position -= 1
        elif part not in ("", "."):
            position = 0
        escapes = escapes or position < 0
    assert not (stays_inside(link, "/".join(parts)) and escapes)


def test_a_configuration_that_moves():
    several = {**CONFIG, "trainingService": [{"trialCodeDirectory": "/old/code"}, {"platform": "local"}]}
    new = moved(several, Path("/n"), Path("/c"))
    assert new["trainingService"] == [{"trialCodeDirectory": "/c"}, {"platform": "local"}]
    assert new["tuner"]["codeDirectory"] == "/c/tuners"
    kept = moved(CONFIG, Path("/n"), None)
    assert kept == {**CONFIG, "experimentWorkingDirectory": "/n"}
    elsewhere = moved({**CONFIG, "tuner": {"codeDirectory": "/old/code2"}}, Path("/n"), Path("/c"))
    assert elsewhere["tuner"]["codeDirectory"] == "/old/code2"


def test_an_error_of_loading_is_a_runtime_error():
    assert issubclass(ArchiveError, RuntimeError)
