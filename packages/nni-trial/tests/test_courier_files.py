"""What gives the manager the files of trials, as a process, with every Python that may be on a machine."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nni
import pytest
from nni.courier.run_directory import socket_path
from nni.courier.trial_files import TrialFiles

PACKAGE_PARENT = str(Path(nni.__file__).parent.parent)
PYTHONS = [sys.executable, *Path.home().glob(".pyenv/versions/3.8.*/bin/python")]


class Files:
    """A running server."""

    def __init__(self, experiment: Path, interpreter: str = sys.executable) -> None:
        self.process = subprocess.Popen(
            [
                interpreter,
                *("-S", "-u", "-m", "nni.courier.files", "--experiment-id=exp"),
                f"--experiment-directory={experiment}",
                f"--run-directory={experiment / 'run'}",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": PACKAGE_PARENT},
        )

    def ask(self, do: str, **details: Any) -> tuple[dict[str, Any], bytes]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": do, **details}).encode() + b"\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer, self.process.stdout.read(answer["size"])


@contextmanager
def serving(experiment: Path, interpreter: str = sys.executable) -> Iterator[Files]:
    files = Files(experiment, interpreter)
    with files.process:
        yield files


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    folder = tmp_path / "exp"
    system = folder / "trials" / "abcde" / ".nni" / "0"
    system.mkdir(parents=True)
    (system / "run.json").write_text("{}")
    (system / "reports.jsonl").write_text("line\n")
    (folder / "trials" / "abcde" / "stdout").write_text("out")
    return folder


@pytest.mark.parametrize("interpreter", PYTHONS)
def test_the_files_of_a_trial(experiment: Path, interpreter: str) -> None:
    trial = experiment / "trials" / "abcde"
    (trial / "sub").mkdir()
    (trial / "sub" / "large").write_bytes(b"x" * 100)
    (trial / "small").write_bytes(b"s")
    (trial / "link").symlink_to("small")
    os.mkfifo(trial / "pipe")
    with serving(experiment, interpreter) as files:
        assert files.ask("hello")[0]["pid"] == files.process.pid
        request = {"trial": "abcde", "label": "", "sizes": {"stdout": -1, "stderr": -1}}
        answer, data = files.ask("logs", trials=[request, {"trial": "other", "sizes": {}}])
        (log,) = answer["logs"]
        assert (log["name"], log["offset"], log["length"], log["of"], data) == ("stdout", 0, 3, 3, b"out")
        request = {"trial": "abcde", "label": log["label"], "sizes": {"stdout": 2}}
        answer, data = files.ask("logs", trials=[request])
        assert (answer["logs"][0]["offset"], data) == (2, b"t")
        answer, data = files.ask("outputs", trial="abcde", attempt=0, patterns=["*"], inline=20)
        assert {(each["path"], each["whole"]) for each in answer["files"]} == {
            (".nni/0/run.json", True),
            (".nni/0/reports.jsonl", True),
            ("small", True),
            ("sub/large", False),
        }
        assert data == b"{}line\ns"
        assert (answer["links"], answer["others"]) == ([["link", "small"]], ["pipe"])
        answer, data = files.ask("read", trial="abcde", path="sub/large", offset=90, length=1000)
        assert data == b"x" * 10
        assert files.ask("trials")[0]["trials"] == {"abcde": [0]}
        assert files.ask("remove", trial="abcde", attempts=[1])[0]["gone"] is False
        assert files.ask("remove", trial="abcde", attempts=[0])[0]["gone"] is True
        assert files.ask("removeExperiment")[0]["gone"] is True
    assert not experiment.exists()


@pytest.mark.parametrize(
    ("do", "details"),
    [
        ("unknown", {}),
        ("read", {"trial": "abcde", "path": "../../x", "offset": 0, "length": 1}),
        ("read", {"trial": "../x", "path": "x", "offset": 0, "length": 1}),
        ("read", {"trial": "abcde", "path": "link", "offset": 0, "length": 1}),
        ("read", {"trial": "abcde", "path": "folder/secret", "offset": 0, "length": 1}),
        ("read", {"trial": "abcde", "path": "missing", "offset": 0, "length": 1}),
        ("outputs", {"trial": "..", "attempt": 0, "patterns": [], "inline": 0}),
        ("remove", {"trial": "..", "attempts": []}),
        ("logs", {"trials": 3}),
    ],
)
def test_what_cannot_be_done_is_told_and_harms_nothing(
    experiment: Path, do: str, details: dict[str, Any]
) -> None:
    (experiment / "secret").write_text("secret")
    (experiment / "trials/abcde/link").symlink_to(experiment / "secret")
    (experiment / "trials/abcde/folder").symlink_to(experiment)
    with serving(experiment) as files:
        answer, data = files.ask(do, **details)
        assert answer["error"] and data == b""
        assert "pid" in files.ask("hello")[0]
    assert (experiment / "trials/abcde/stdout").exists()


def test_the_next_one_replaces_the_one_before(experiment: Path) -> None:
    with serving(experiment) as first:
        first.ask("hello")
        with serving(experiment) as second:
            second.ask("hello")
            assert first.process.wait(30) == -signal.SIGTERM


def test_what_runs_still_is_stopped(experiment: Path) -> None:
    status = experiment.stat()
    tags = {"NNI_EXP_ID": "exp", "NNI_FOLDER_ID": f"{status.st_dev}-{status.st_ino}"}
    with (
        subprocess.Popen(["sleep", "1000"], env={**os.environ, **tags}) as ours,
        subprocess.Popen(["sleep", "1000"], env={**os.environ, **tags, "NNI_EXP_ID": "exp2"}) as other,
        serving(experiment) as files,
    ):
        files.ask("stop")
        assert ours.wait(30) == -signal.SIGKILL
        assert other.poll() is None
        other.kill()
        assert files.ask("removeExperiment")[0]["gone"] is False
    assert [path.name for path in experiment.iterdir()] == ["trials"]


def test_folders_that_a_trial_has_closed_are_removed() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # which another user gets into
        experiment = Path(name)
        closed = experiment / "trials/abcde/closed"
        (closed / "inner").mkdir(parents=True)
        (closed / "inner" / "file").touch()
        if os.geteuid() == 0:  # root may do everything
            for path in [experiment, *experiment.rglob("*")]:
                os.chown(path, 65534, 65534)
        (closed / "inner").chmod(0o500)
        closed.chmod(0)
        pid = os.fork()
        if pid == 0:
            try:
                if os.geteuid() == 0:
                    os.setuid(65534)
                TrialFiles(name).remove("abcde", [0])
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        assert not (experiment / "trials/abcde").exists()
        assert (experiment / "trials").exists()


def test_a_socket_has_a_short_path_that_stays(tmp_path: Path) -> None:
    short = Path("/tmp") / f"nni-test-{os.getpid()}"
    long = tmp_path / ("x" * 80) / "run"
    try:
        assert socket_path(str(short)) == str(short / "socket")
        found = socket_path(str(long))
        assert len(found) < 60
        assert Path(found).parent.stat().st_mode & 0o777 == 0o700
        assert socket_path(str(long)) == found
        Path(found).parent.chmod(0o755)
        assert socket_path(str(long)) != found
        for path in (found, socket_path(str(long))):
            Path(path).parent.rmdir()
    finally:
        shutil.rmtree(short)
