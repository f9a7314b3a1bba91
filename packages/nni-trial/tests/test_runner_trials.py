"""What a runner gives to a trial, and how it stops one: real processes under a forked runner."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nni import processes, runner, supervision
from nni.trial_folder import TrialFolder, write_json

PYTHON = f"{sys.executable} -S"


class Trial:
    """A trial under a runner that this process forked."""

    def __init__(self, folder: TrialFolder, pid: int, pipe: int) -> None:
        self.folder = folder
        self.runner = pid
        self.pipe = pipe

    def wait_started(self) -> None:
        assert select.select([self.pipe], [], [], 60)[0]
        assert self.words().keys() == {"started"}

    def words(self) -> dict[str, Any]:
        """What the runner says next: all of it once it has ended."""
        return {k: v for line in os.read(self.pipe, 65536).splitlines() for k, v in json.loads(line).items()}

    def wait_for(self, name: str) -> str:
        """Waits for a file in the output folder that is complete once it ends with a line end."""
        path = Path(self.folder.output_directory, name)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError):
                if (text := path.read_text()).endswith("\n"):
                    return text
            time.sleep(0.005)
        raise AssertionError(f"no {name}: {self.output('stderr')}")

    def cancel(self, first: int = signal.SIGINT, grace_seconds: float = 0.5) -> None:
        write_json(self.folder.cancel_file, {"signal": int(first), "grace_seconds": grace_seconds})
        os.kill(self.runner, signal.SIGTERM)

    def end(self) -> dict[str, Any]:
        """Waits for the runner and returns the content of exit.json."""
        _, status = os.waitpid(self.runner, 0)
        assert status == 0, self.output("stderr")
        self.runner = 0
        return json.loads(Path(self.folder.exit_file).read_text())

    def output(self, name: str) -> str:
        return Path(self.folder.output_directory, name).read_text(errors="replace")

    def command(self) -> int:
        return json.loads(Path(self.folder.run_file).read_text())["command"]["pid"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    trials: list[Trial] = []

    def start(command: str, directory: Path = tmp_path, **environment: str) -> Trial:
        name = f"trial{len(trials)}"
        folder = TrialFolder(str(tmp_path / "experiment"), name, 0)
        assert folder.create_with({})
        tag = {"NNI_EXP_ID": tmp_path.name, "NNI_TRIAL_JOB_ID": name}
        run = runner.Run(
            folder=folder,
            shell="/bin/bash",
            command=command,
            working_directory=str(directory),
            environment={**os.environ, "OUT": folder.output_directory, **tag, **environment},
            tags=[[f"{key}={value}".encode() for key, value in tag.items()]],
            grace_seconds=0.5,
        )
        trials.append(Trial(folder, *runner.start(run)))
        return trials[-1]

    yield start
    for trial in trials:
        os.close(trial.pipe)
        if trial.runner:
            trial.cancel(signal.SIGKILL, 0.0)
            os.waitpid(trial.runner, 0)


def alive(pid: int) -> bool:
    return processes.start_time(pid) is not None


def test_a_trial_has_three_open_files_and_nothing_else(start: Any) -> None:
    leaked = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(leaked, True)
    try:
        trial = start("ls -l /proc/self/fd | awk 'NF > 3 {print $9, $11}'")
        assert trial.end()["exit_code"] == 0
    finally:
        os.close(leaked)
    found = dict(line.split() for line in trial.output("stdout").splitlines())
    assert found.pop("0") == "/dev/null"
    assert found.pop("1").startswith("pipe:")
    assert found.pop("2") == trial.folder.stderr
    assert [target for target in found.values() if not target.startswith("/proc/")] == []


def test_the_runner_keeps_no_file_of_its_parent(start: Any) -> None:
    trial = start("exec sleep 1000")
    trial.wait_started()
    targets = [str(entry.readlink()) for entry in Path(f"/proc/{trial.runner}/fd").iterdir()]
    expected = {"/dev/null", trial.folder.stdout, trial.folder.stderr}
    assert {target for target in targets if not target.startswith("pipe:")} == expected
    assert len(targets) == 6


@pytest.mark.parametrize("ignored", [signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM])
def test_signals_are_reset_and_let_through(start: Any, ignored: int) -> None:
    before = signal.signal(ignored, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        trial = start("grep -E 'Sig(Ign|Blk)' /proc/self/status")
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
        signal.signal(ignored, before)
    trial.end()
    of_libc = 1 << 31 | 1 << 32  # signals 32 and 33, which no program sees
    masks = [int(line.split()[1], 16) for line in trial.output("stdout").splitlines()]
    assert [mask & ~of_libc for mask in masks] == [0, 0]


def test_output_of_c_code_and_children_keeps_its_order(start: Any, tmp_path: Path) -> None:
    (tmp_path / "print.py").write_text(
        "import ctypes, os, subprocess, sys\n"
        "c = ctypes.CDLL(None)\n"
        "for number in range(3):\n"
        "    print('python', number)\n"
        "    c.puts(b'c'); c.fflush(None)\n"
        "    os.write(1, b'descriptor\\n')\n"
        "    subprocess.run(['echo', 'child'])\n"
        "    print('bar', end='\\r')\n"
        "print('last')\n"
        "os.kill(os.getpid(), 11)\n"
    )
    trial = start(f"exec {PYTHON} print.py", PYTHONUNBUFFERED="1")
    assert trial.end()["signal"] == signal.SIGSEGV
    lines = [f"python {number}\nc\ndescriptor\nchild\nbar\r" for number in range(3)]
    assert Path(trial.folder.stdout).read_bytes().decode() == "".join(lines) + "last\n"


def test_a_script_that_kills_its_group_does_not_kill_the_runner(start: Any) -> None:
    assert start("kill -KILL 0; sleep 1000").end()["signal"] == signal.SIGKILL


def test_a_trial_that_closes_its_files(start: Any) -> None:
    assert start("exec 0<&- 1>&- 2>&-; exit 6").end()["exit_code"] == 6


def test_umask_and_limits_are_the_callers(start: Any) -> None:
    before = os.umask(0o027)
    try:
        trial = start("umask")
    finally:
        os.umask(before)
    trial.end()
    assert trial.output("stdout") == "0027\n"
    assert Path(trial.folder.stdout).stat().st_mode & 0o777 == 0o600
    assert Path(trial.folder.system_directory).stat().st_mode & 0o777 == 0o700


def test_children_without_our_environment_are_found(start: Any) -> None:
    trial = start(f"(env -i setsid {PYTHON} -c 'import time; time.sleep(1000)' & echo $! > $OUT/pid); true")
    assert trial.end()["exit_code"] == 0
    assert not alive(int(trial.output("pid")))


def test_a_process_started_by_another_with_our_environment_is_found(start: Any) -> None:
    trial = start("env > $OUT/environment; echo > $OUT/ready; sleep 1000")
    trial.wait_for("ready")
    environment = dict(
        line.split("=", 1) for line in trial.output("environment").splitlines() if line.startswith("NNI_")
    )
    other_environment = {**environment, "NNI_TRIAL_JOB_ID": "x"}
    with (
        subprocess.Popen(["sleep", "1000"], env=environment) as stranger,
        subprocess.Popen(["sleep", "1000"], env=other_environment) as other,
    ):
        try:
            trial.cancel()
            assert stranger.wait(30) == -signal.SIGINT
            trial.end()
            assert other.poll() is None
        finally:
            stranger.kill()
            other.kill()


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_stopped_processes_get_the_signal_at_once(start: Any, first: int) -> None:
    trial = start("echo $$ > $OUT/pid; kill -STOP $$; exec sleep 1000")
    trial.wait_for("pid")
    trial.cancel(first, grace_seconds=60.0)
    assert trial.end()["signal"] == first


def test_a_cancel_before_the_command_runs_is_not_lost(start: Any) -> None:
    for _ in range(10):
        trial = start("exec sleep 1000")
        trial.cancel()
        assert trial.end()["signal"] == signal.SIGINT


def test_processes_made_during_the_stop_are_stopped(start: Any, tmp_path: Path) -> None:
    (tmp_path / "bomb.py").write_text(
        "import os, signal, time\n"
        "for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, signal.SIG_IGN)\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    time.sleep(0.01)\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        time.sleep(0.3)\n"
        "        os._exit(0)\n"
    )
    trial = start(f"exec {PYTHON} bomb.py")
    trial.wait_for("stdout")
    trial.cancel(grace_seconds=0.1)
    assert trial.end()["signal"] == signal.SIGKILL
    tag = [f"NNI_EXP_ID={tmp_path.name}".encode()]
    assert [process for process in processes.all_processes() if processes.carries(process.pid, [tag])] == []


def test_many_orphans_are_reaped(start: Any) -> None:
    trial = start("for n in $(seq 100); do (true &) ; done; cat /proc/$PPID/task/*/children; exit 3")
    assert trial.end()["exit_code"] == 3


@pytest.mark.parametrize("name", ["none", "file"])
def test_a_working_directory_that_cannot_be_used(start: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    outcome = start("true", directory=tmp_path / name).end()
    assert str(tmp_path / name) in outcome["problem"]
    assert "exit_code" not in outcome


def test_how_a_trial_ended_is_said_where_it_cannot_be_written(start: Any) -> None:
    trial = start("while [ ! -e $OUT/.nni/0/run.json ]; do sleep 0.01; done; rm -r $OUT; exit 3")
    assert os.waitpid(trial.runner, 0)[1] == 0
    trial.runner = 0
    words = trial.words()
    assert words["started"] and words["outcome"]["exit_code"] == 3
    assert "No such file" in words["unwritten"] and "exit.json" in words["unwritten"]


def test_the_end_of_a_trial_is_noted_once_there_is_room(
    start: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    has_room, tried = tmp_path / "room", tmp_path / "tried"

    def full(path: str, content: dict[str, Any]) -> None:
        if path.endswith("exit.json") and not has_room.exists():
            tried.touch()
            raise OSError(28, "No space left on device", path)
        write_json(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(runner, "write_json", full)
        patch.setattr(runner, "WAIT_FOR_ROOM_SECONDS", 0.01)
        trial = start("exit 3")
    while not tried.exists():
        assert alive(trial.runner)
    assert alive(trial.runner)
    has_room.touch()
    assert trial.end()["exit_code"] == 3


def test_a_trial_whose_start_cannot_be_noted_is_stopped(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str, content: dict[str, Any]) -> None:
        if path.endswith("run.json"):
            raise OSError(28, "No space left on device", path)
        write_json(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(runner, "write_json", full)
        trial = start("trap 'exit 0' TERM; echo $$ > $OUT/pid; while true; do sleep 0.1; done")
    outcome = trial.end()
    assert "No space left on device" in outcome["problem"] and "run.json" in outcome["problem"]
    assert "exit_code" not in outcome
    pid = Path(trial.folder.output_directory, "pid")
    assert not pid.exists() or not alive(int(pid.read_text()))


def test_a_runner_that_fails_says_why(start: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "experiment/trials/trial0/stdout").mkdir(parents=True)
    trial = start("true")
    assert os.waitstatus_to_exitcode(os.waitpid(trial.runner, 0)[1]) == 1
    trial.runner = 0
    assert trial.words() == {"problem": f"[Errno 21] Is a directory: '{trial.folder.stdout}'"}


def test_a_command_too_long_for_the_system(start: Any) -> None:
    outcome = start("true #" + "x" * 3_000_000).end()
    assert "cannot be started" in outcome["problem"]


def test_without_a_process_file_system_ps_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    own = os.getpid()
    by_proc = {process.pid: process for process in processes.all_processes()}
    monkeypatch.setattr(processes, "_PROC", "/nowhere")
    by_ps = {process.pid: process for process in processes.all_processes()}
    assert by_ps[own] == by_proc[own]
    assert by_ps[os.getppid()] == by_proc[os.getppid()]
    assert processes.start_time(own) == processes.start_time(own) is not None
    assert processes.start_time(2**22 + 1) is None


def test_without_a_subreaper_the_group_and_the_tag_are_searched(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_libc", None)
    trial = start("(setsid sleep 1000 & echo $! >> $OUT/pids); (sleep 1000 & echo $! >> $OUT/pids); true")
    assert trial.end()["exit_code"] == 0
    pids = [int(line) for line in trial.output("pids").split()]
    assert len(pids) == 2
    assert [pid for pid in pids if alive(pid)] == []


def test_what_cannot_be_stopped_is_named(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(supervision, "UNKILLABLE_SECONDS", 0.3)
    with monkeypatch.context() as patch:
        patch.setattr(supervision.os, "kill", refused)
        trial = start("sleep 1000 & echo $! > $OUT/pid; exit 1")
    outcome = trial.end()
    assert outcome["exit_code"] == 1
    assert outcome["survivors"] == [int(trial.output("pid"))]
    os.kill(int(trial.output("pid")), signal.SIGKILL)
