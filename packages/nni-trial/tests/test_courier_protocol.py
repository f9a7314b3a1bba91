"""The courier as a process that is spoken to over its pipes, in messages of courier.proto."""

import contextlib
import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nni
import pytest
from google.protobuf import json_format
from nni import processes
from nni.courier.room import Room
from nni_proto import values
from nni_proto.v1 import courier_pb2

PACKAGE_PARENT = str(Path(nni.__file__).parent.parent)


FULL_WHILE_A_FILE_IS_THERE = """
import os, types
from nni.courier import room
full = types.SimpleNamespace(f_bavail=3, f_frsize=4096)
room.os = types.SimpleNamespace(
    strerror=os.strerror, statvfs=lambda path: full if os.path.exists(path + "/full") else os.statvfs(path)
)
from nni.courier.__main__ import main
main()
"""


class Manager:
    """What stands at the other end of a courier's pipes."""

    def __init__(self, experiment: Path, interpreter: str, code: str = "", **environment: str) -> None:
        self.experiment = experiment
        program = ["-c", code] if code else ["-m", "nni.courier"]
        command = [interpreter, "-S", *program, "--experiment-id=exp", "--grace-seconds=1"]
        self.process = subprocess.Popen(
            [*command, f"--experiment-directory={experiment}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": PACKAGE_PARENT, **environment},
            cwd=experiment,
        )
        self.seen: list[courier_pb2.CourierEvent] = []

    def send(self, kind: str, **fields: Any) -> None:
        message = courier_pb2.CourierCommand()
        getattr(message, kind).SetInParent()
        for name, value in fields.items():
            setattr(getattr(message, kind), name, value)
        self.send_message(message)

    def send_message(self, message: courier_pb2.CourierCommand) -> None:
        self.send_line(json_format.MessageToJson(message, indent=None).encode())

    def send_line(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def launch(self, command: str, trial_id: str = "abcde", parameters: Any = None) -> None:
        message = courier_pb2.CourierCommand()
        launch = message.launch
        launch.trial_id, launch.command = trial_id, command
        launch.working_directory = str(self.experiment)
        launch.parameters.CopyFrom(values.to_message(parameters))
        self.send_message(message)

    def wait_for(self, kind: str) -> Any:
        """Returns the content of the next event of a kind, and acknowledges all results until then."""
        assert self.process.stdout is not None
        while True:
            line = self.process.stdout.readline()
            assert line, "the courier ended"
            event = json_format.Parse(line, courier_pb2.CourierEvent())
            self.seen.append(event)
            if event.WhichOneof("event") == "reported":
                told = event.reported
                self.send("acknowledge", trial_id=told.trial_id, attempt=told.attempt, offset=told.end_offset)
            if event.WhichOneof("event") == kind:
                return getattr(event, kind)

    def kinds(self) -> list[str]:
        return [event.WhichOneof("event") for event in self.seen]

    def output(self, name: str, trial_id: str = "abcde") -> str:
        return (self.experiment / "trials" / trial_id / name).read_text()


@contextlib.contextmanager
def running(experiment: Path, interpreter: str = sys.executable, **environment: str) -> Iterator[Manager]:
    manager = Manager(experiment, interpreter, **environment)
    try:
        yield manager
    finally:
        assert manager.process.stdin is not None
        assert manager.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            manager.process.stdin.close()
        manager.process.wait(30)
        manager.process.stdout.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with running(tmp_path) as manager:
        yield manager


REPORTS = r"""
for n in 0 1 2; do
    printf '{"k":"i","r":"1-a","n":%d,"t":1700000000,"v":{"default":NaN}}\n' $n >> $NNI_SYS_DIR/reports.jsonl
done
exit 3
"""


NOTED = "while [ ! -e $NNI_SYS_DIR/run.json ]; do sleep 0.01; done"


def test_the_life_of_a_trial(manager: Manager) -> None:
    ready = manager.wait_for("ready")
    assert (ready.version, ready.pid) == (nni.__version__, manager.process.pid)
    manager.launch(REPORTS, parameters={"": [2**53 + 1, 1.0]})
    reported = manager.wait_for("reported")
    assert [report.number for report in reported.reports] == list(range(len(reported.reports)))
    ended = manager.wait_for("ended")
    assert (ended.trial_id, ended.attempt, ended.exit_code, ended.problem) == ("abcde", 0, 3, "")
    assert ended.HasField("exit_code") and not ended.HasField("signal")
    content = json.loads(manager.output(".nni/0/parameters.json"))
    assert content["parameters"] == {"": [2**53 + 1, 1.0]}
    assert (content["parameter_id"], content["parameter_source"]) == (None, "customized")
    assert manager.kinds()[1] == "started"


def test_events_survive_a_slow_manager_in_order(manager: Manager) -> None:
    manager.wait_for("ready")
    for number in range(30):
        manager.launch("head -c 30000 /dev/zero | tr '\\0' x >&2; exit 1", trial_id=f"trial{number}")
    for _ in range(30):
        manager.wait_for("ended")
    tails = [event.ended.stderr_tail for event in manager.seen if event.WhichOneof("event") == "ended"]
    assert {len(tail) for tail in tails} == {16 << 10}
    for number in range(30):
        own = [
            event.WhichOneof("event")
            for event in manager.seen
            if f"trial{number}" in (event.started.trial_id, event.ended.trial_id)
        ]
        assert own == ["started", "ended"]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b'{"launch":null}',
        b'{"unknown":{}}',
        b"\xff",
        b'{"cancel":{}}',
        b'{"adopt":{"trialId":1}}',
    ],
)
def test_a_command_that_makes_no_sense_is_told_and_harms_nothing(manager: Manager, line: bytes) -> None:
    manager.wait_for("ready")
    manager.send_line(line)
    if line != b'{"adopt":{"trialId":1}}':
        assert "cannot be carried out" in manager.wait_for("problem").message
    manager.launch("true")
    while manager.wait_for("ended").trial_id != "abcde":
        continue


@pytest.mark.parametrize("trial_id", ["../x", "a/b", ".", "a\n", "x" * 65])
def test_no_path_comes_from_a_trial_id(manager: Manager, trial_id: str) -> None:
    manager.wait_for("ready")
    manager.launch("true", trial_id=trial_id)
    assert "trial id" in manager.wait_for("problem").message
    assert list(manager.experiment.iterdir()) == []


def test_commands_for_unknown_trials_do_nothing(manager: Manager) -> None:
    manager.wait_for("ready")
    manager.send("cancel", trial_id="never", signal=2, grace_seconds=1.0)
    manager.send("acknowledge", trial_id="never", offset=5)
    manager.launch("true")
    manager.wait_for("ended")
    assert manager.kinds() == ["ready", "started", "ended"]


def test_shut_down_ends_the_courier_and_no_trial(manager: Manager) -> None:
    manager.wait_for("ready")
    manager.launch("while [ ! -e go ]; do sleep 0.01; done; echo done")
    manager.wait_for("started")
    manager.send("shut_down")
    assert manager.process.wait(30) == 0
    (manager.experiment / "go").touch()
    with running(manager.experiment) as another:
        another.send("adopt", trial_id="abcde")
        assert another.wait_for("ended").exit_code == 0
        assert another.output("stdout") == "done\n"


def test_what_cannot_be_written_is_told(manager: Manager) -> None:
    manager.wait_for("ready")
    (manager.experiment / "trials").write_text("a file where a folder should be")
    manager.launch("true")
    assert "cannot be started" in manager.wait_for("ended").problem


def test_trials_wait_while_the_disk_is_full(tmp_path: Path) -> None:
    (tmp_path / "full").touch()
    with running(tmp_path, code=FULL_WHILE_A_FILE_IS_THERE) as manager:
        manager.wait_for("ready")
        for trial_id in ("abcde", "other", "third"):
            manager.launch("exit 3", trial_id=trial_id)
        assert "room on the disk: [Errno 28] No space left" in manager.wait_for("problem").message
        waits = [manager.wait_for("waits") for _ in range(3)]
        assert [it.trial_id for it in waits] == ["abcde", "other", "third"]
        assert {it.reason for it in waits} == {
            f"it waits for room on the disk: [Errno 28] No space left on device: {str(tmp_path)!r}"
        }
        manager.send("cancel", trial_id="other", signal=2, grace_seconds=1.0)
        assert manager.wait_for("ended").problem == "it was stopped before it was started"
        assert not (tmp_path / "trials").exists()
        (tmp_path / "full").unlink()
        ended = [manager.wait_for("ended") for _ in range(2)]
        assert {(end.trial_id, end.exit_code) for end in ended} == {("abcde", 3), ("third", 3)}
        assert manager.kinds().count("problem") == 1
        assert manager.kinds().count("waits") == 3


def test_a_disk_that_is_full_for_one_user_is_full(tmp_path: Path) -> None:
    told: list[str] = []
    room = Room(str(tmp_path), told.append)
    room.check()
    over_quota = OSError(errno.EDQUOT, "Disk quota exceeded")
    assert room.explains(over_quota) and room.explains(over_quota)
    assert not room.explains(PermissionError(errno.EACCES, "Permission denied"))
    assert not room.explains(ValueError())
    assert told == [f"trials wait to be started until there is room on the disk: {over_quota}"]
    Room(str(tmp_path / "missing"), told.append).check()


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        ("rm -r $NNI_OUTPUT_DIR", "No such file"),
        # As on a full disk: nothing can be written to any file any more.
        (
            f'{sys.executable} -c "import resource as r; r.prlimit($PPID, r.RLIMIT_FSIZE, (0, 0))"',
            "too large",
        ),
    ],
)
def test_the_end_of_a_trial_is_told_where_it_cannot_be_written(
    manager: Manager, spoil: str, cause: str
) -> None:
    manager.wait_for("ready")
    manager.launch(f"{NOTED}; {spoil}; exit 3")
    ended = manager.wait_for("ended")
    assert (ended.exit_code, ended.problem) == (3, "")
    assert manager.kinds() == ["ready", "started", "problem", "ended"]
    assert cause in manager.seen[2].problem.message and "exit.json" in manager.seen[2].problem.message


def test_a_runner_that_fails_is_told_with_the_cause(manager: Manager) -> None:
    manager.wait_for("ready")
    (manager.experiment / "trials" / "abcde" / "stdout").mkdir(parents=True)
    manager.launch("true")
    problem = manager.wait_for("ended").problem
    assert problem.startswith("runner lost: ") and "Is a directory" in problem and "/abcde/stdout" in problem


def test_a_trial_without_its_folder_is_stopped(manager: Manager) -> None:
    manager.wait_for("ready")
    manager.launch(f"{NOTED}; rm -r $NNI_OUTPUT_DIR; touch $NNI_OUTPUT_DIR.ready; exec sleep 1000")
    manager.wait_for("started")
    while not (manager.experiment / "trials" / "abcde.ready").exists():
        continue
    manager.send("cancel", trial_id="abcde", signal=15, grace_seconds=30.0)
    assert "No such file" in manager.wait_for("problem").message
    assert manager.wait_for("ended").signal == 2


def test_what_a_lost_runner_leaves_is_stopped_without_its_folder(manager: Manager) -> None:
    manager.wait_for("ready")
    manager.launch(f"{NOTED}; rm -r $NNI_OUTPUT_DIR; echo $$ > pid; kill -KILL $PPID; exec sleep 1000")
    assert "was killed by signal 9" in manager.wait_for("ended").problem
    assert processes.start_time(int((manager.experiment / "pid").read_text())) is None


def test_an_environment_that_cannot_be_is_told(manager: Manager) -> None:
    manager.wait_for("ready")
    manager.launch("true\0")
    assert "cannot be started" in manager.wait_for("ended").problem


def test_a_machine_without_bash_uses_sh_and_says_so_once(tmp_path: Path) -> None:
    code = (
        "import sys; from nni.courier import trials; real = trials.os.access\n"
        "trials.os.access = lambda path, mode: path != '/bin/bash' and real(path, mode)\n"
        "from nni.courier.__main__ import main; main()"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, "--experiment-id=e", f"--experiment-directory={tmp_path}"],
        input=b"",
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, "PYTHONPATH": PACKAGE_PARENT},
    )
    events = [json.loads(line) for line in process.stdout.splitlines()]
    assert "/bin/sh" in events[1]["problem"]["message"]
    assert len(events) == 2


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13"])
def test_every_supported_python(tmp_path: Path, version: str, find_python: Callable[[str], str]) -> None:
    with running(tmp_path, find_python(version), PYTHONWARNINGS="error") as manager:
        manager.wait_for("ready")
        manager.launch(REPORTS)
        assert manager.wait_for("ended").exit_code == 3
        manager.launch("sleep 1000 & exec sleep 1000", trial_id="other")
        manager.wait_for("started")
        manager.send("cancel", trial_id="other", signal=2, grace_seconds=1.0)
        assert manager.wait_for("ended").signal == 2
