"""The courier in reuse mode, spoken to over its pipes and its socket."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nni
import pytest
from nni import _loopback
from nni.courier import loopback

PACKAGE_PARENT = str(Path(nni.__file__).parent.parent)
WAIT = "while [ ! -e $NNI_OUTPUT_DIR/go ]; do sleep 0.01; done"


class Manager:
    """What stands at the other end of a courier's pipes."""

    def __init__(self, experiment: Path, socket_path: Path, interpreter: str = sys.executable) -> None:
        self.experiment = experiment
        self.socket_path = socket_path
        command = [interpreter, "-S", "-m", "nni.courier", "--experiment-id=exp", "--grace-seconds=1"]
        self.process = subprocess.Popen(
            [*command, f"--experiment-directory={experiment}", f"--socket={socket_path}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": PACKAGE_PARENT, "PYTHONWARNINGS": "error"},
            cwd=experiment,
        )

    def send(self, kind: str, **fields: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({kind: fields}).encode() + b"\n")
        self.process.stdin.flush()

    def launch(self, trial_id: str, command: str = WAIT, **fields: Any) -> None:
        environment = [{"name": "NNI_TRIAL_TOKEN", "value": f"token of {trial_id}"}]
        parameters = {"stringValue": trial_id}
        self.send(
            "launch",
            trialId=trial_id,
            command=command,
            parameters=parameters,
            **{"workingDirectory": str(self.experiment), "environment": environment, **fields},
        )

    def wait_for(self, kind: str) -> dict[str, Any]:
        assert self.process.stdout is not None
        while True:
            line = self.process.stdout.readline()
            assert line, "the courier ended"
            ((name, content),) = json.loads(line).items()
            if name == kind:
                return content
            assert kind == "problem" or name != "problem", content

    def ask(self, trial_id: str, attempt: int = 0) -> socket.socket:
        return self.say(json.dumps({"trialId": trial_id, "attempt": attempt}).encode() + b"\n")

    def say(self, data: bytes) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(60)
        connection.connect(str(self.socket_path))
        connection.sendall(data)
        return connection

    def go(self, trial_id: str) -> None:
        (self.experiment / "trials" / trial_id / "go").touch()

    def read(self, trial_id: str, name: str) -> Any:
        return json.loads((self.experiment / "trials" / trial_id / ".nni" / "0" / name).read_text())


def answer(connection: socket.socket) -> dict[str, str]:
    with connection, connection.makefile("rb") as lines:
        line = lines.readline()
        assert lines.read() == b""
    environment = {each["name"]: each["value"] for each in json.loads(line)["environment"]}
    if environment:
        Path(environment["NNI_SYS_DIR"], "asked").touch()  # as the SDK does that takes the trial
    return environment


@contextlib.contextmanager
def running(experiment: Path, socket_path: Path, **options: Any) -> Iterator[Manager]:
    manager = Manager(experiment, socket_path, **options)
    try:
        yield manager
    finally:
        for stream in (manager.process.stdin, manager.process.stdout, manager.process.stderr):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        manager.process.wait(30)


@pytest.fixture
def socket_path() -> Iterator[Path]:
    folder = Path(f"/tmp/nni-courier-{os.getpid()}")
    folder.mkdir(mode=0o700)
    yield folder / "socket"
    shutil.rmtree(folder)


@pytest.fixture
def manager(tmp_path: Path, socket_path: Path) -> Iterator[Manager]:
    with running(tmp_path, socket_path) as manager:
        manager.wait_for("ready")
        yield manager
        manager.send("shutDown")
        assert manager.process.wait(30) == 0


def test_a_process_gets_its_next_trial(manager: Manager) -> None:
    manager.launch("one")
    shell = manager.wait_for("started")["pid"]
    waiting = manager.ask("one")
    ended = manager.wait_for("ended")
    assert (ended["trialId"], ended["exitCode"], ended["stderrTail"]) == ("one", 0, "")
    manager.launch("two", sequenceNumber=5, parameterId="8", numericKinds=["METRIC_KIND_FINAL"])
    assert manager.wait_for("started") == {"trialId": "two", "attempt": 0, "pid": shell} | {
        "startTime": manager_time(manager, "two")
    }
    output = str(manager.experiment / "trials" / "two")
    assert answer(waiting) == {
        "NNI_EXP_ID": "exp",
        "NNI_TRIAL_JOB_ID": "two",
        "NNI_TRIAL_ATTEMPT": "0",
        "NNI_TRIAL_SEQ_ID": "5",
        "NNI_TRIAL_TOKEN": "token of two",
        "NNI_NUMERIC_RESULTS": "final",
        "NNI_OUTPUT_DIR": output,
        "NNI_SYS_DIR": f"{output}/.nni/0",
    }
    parameters = manager.read("two", "parameters.json")
    assert (parameters["parameter_id"], parameters["parameters"]) == (8, "two")
    assert manager.read("two", "run.json")["slot"] == {"trial_id": "one", "attempt": 0}
    for name in ("stdout", "stderr", ".nni/0/parameters.json"):
        assert Path(output, name).stat().st_mode & 0o777 == 0o600
    manager.go("one")
    ended = manager.wait_for("ended")
    assert (ended["trialId"], ended["exitCode"]) == ("two", 0)


def manager_time(manager: Manager, trial_id: str) -> str:
    from nni.courier.values import timestamp

    return timestamp(manager.read(trial_id, "run.json")["started_at"])


def test_all_processes_of_a_slot_get_the_same_trial(manager: Manager) -> None:
    manager.launch("one")
    manager.wait_for("started")
    early = [manager.ask("one") for _ in range(2)]
    manager.wait_for("ended")
    manager.launch("two")
    manager.wait_for("started")
    late = manager.ask("one")
    assert {answer(connection)["NNI_TRIAL_JOB_ID"] for connection in (*early, late)} == {"two"}
    manager.go("one")
    assert manager.wait_for("ended")["trialId"] == "two"


def test_who_loses_the_connection_gets_nothing_until_it_asks_again(manager: Manager) -> None:
    manager.launch("one")
    manager.wait_for("started")
    manager.ask("one").close()
    manager.wait_for("ended")
    manager.launch("two", "exit 3")  # nobody waits: it has a process of its own
    assert manager.wait_for("ended")["exitCode"] == 3
    waiting = manager.ask("one")
    manager.say(b"\n").close()
    manager.wait_for("problem")  # what was said later was heard, so this was too
    manager.launch("three")
    assert answer(waiting)["NNI_TRIAL_JOB_ID"] == "three"
    manager.go("one")
    assert manager.wait_for("ended")["trialId"] == "three"


@pytest.mark.parametrize("fields", [{"command": "true"}, {"workingDirectory": "/"}, {"environment": []}])
def test_only_the_same_kind_of_trial_is_given_to_a_process(manager: Manager, fields: dict[str, Any]) -> None:
    other = [{"name": "CUDA_VISIBLE_DEVICES", "value": "1"}]
    manager.launch("one", environment=other)
    manager.wait_for("started")
    waiting = manager.ask("one")
    manager.wait_for("ended")
    manager.launch("two", **{"command": "true", "environment": other, **fields})
    assert manager.wait_for("ended")["trialId"] == "two"
    assert "slot" not in manager.read("two", "run.json")
    manager.send("release")
    assert answer(waiting) == {}
    manager.go("one")


def test_a_trial_that_was_begun_is_not_begun_again(
    manager: Manager, tmp_path: Path, socket_path: Path
) -> None:
    manager.launch("one")
    manager.wait_for("started")
    waiting = manager.ask("one")
    manager.wait_for("ended")
    manager.launch("two")
    manager.wait_for("started")
    assert answer(waiting)
    manager.process.kill()
    with running(tmp_path, socket_path) as second:
        second.wait_for("ready")
        second.launch("two")
        second.wait_for("started")
        assert answer(second.ask("one"))["NNI_TRIAL_JOB_ID"] == "two"
        waiting = second.ask("two")
        assert second.wait_for("ended")["trialId"] == "two"
        second.launch("three")
        assert answer(waiting)["NNI_TRIAL_TOKEN"] == "token of three"
        second.go("one")
        assert second.wait_for("ended")["trialId"] == "three"
    manager.process.wait()
    manager.send = lambda *_: None  # type: ignore[method-assign]
    manager.process.returncode = 0


@pytest.mark.parametrize(
    "data",
    [b"\n", b"{}\n", b"[]\n", b"{\n", b"\xff\n", b'{"trialId":"../x"}\n', b'{"trialId":"none"}\n',
     b'{"trialId":"one","attempt":"x"}\n', b"x" * 70_000],
)  # fmt: skip
def test_nonsense_on_the_socket_harms_nothing(manager: Manager, data: bytes) -> None:
    manager.launch("one")
    manager.wait_for("started")
    with manager.say(data) as connection, contextlib.suppress(ConnectionResetError):
        assert connection.recv(1000) in (b"", b'{"environment": []}\n')
    if b"\n" in data:
        assert "asks for" in manager.wait_for("problem")["message"]
    waiting = manager.ask("one")
    assert manager.wait_for("ended")["exitCode"] == 0
    manager.send("release")
    assert answer(waiting) == {}
    manager.go("one")


def test_a_failure_without_a_trial_is_told(manager: Manager) -> None:
    manager.launch("one", f"{WAIT}; exit 7")
    manager.wait_for("started")
    waiting = manager.ask("one")
    manager.wait_for("ended")
    manager.send("release")
    assert answer(waiting) == {}
    manager.go("one")
    message = manager.wait_for("problem")["message"]
    assert "one" in message and "'exit_code': 7" in message


def test_an_end_that_cannot_be_noted_is_asked_for_again(manager: Manager) -> None:
    manager.launch("one")
    manager.wait_for("started")
    done = manager.experiment / "trials" / "one" / ".nni" / "0" / "done.json"
    done.mkdir()
    with manager.ask("one") as connection:
        assert connection.recv(1000) == b""
    assert "cannot be noted" in manager.wait_for("problem")["message"]
    done.rmdir()
    waiting = manager.ask("one")
    assert manager.wait_for("ended")["trialId"] == "one"
    waiting.close()
    manager.go("one")


def test_the_socket_is_removed_by_a_courier_that_was_told_to_end(manager: Manager, socket_path: Path) -> None:
    assert sorted(socket_path.parent.iterdir()) == [socket_path, socket_path.with_suffix(".port")]
    manager.send("shutDown")
    assert manager.process.wait(30) == 0
    assert list(socket_path.parent.iterdir()) == []
    manager.send = lambda *_: None  # type: ignore[method-assign]


def test_a_courier_that_was_told_to_end_does_its_work_though_nothing_more_is_sent(manager: Manager) -> None:
    manager.launch("one")
    manager.wait_for("started")
    waiting = manager.ask("one")
    manager.wait_for("ended")
    assert manager.process.stdin is not None
    manager.process.stdin.write(b'{"shutDown": {}}\n')
    manager.process.stdin.close()
    assert answer(waiting) == {}
    with pytest.raises(subprocess.TimeoutExpired):
        manager.process.wait(0.5)
    manager.go("one")
    assert manager.process.wait(30) == 0
    assert manager.read("one", "exit.json")["exit_code"] == 0
    manager.send = lambda *_: None  # type: ignore[method-assign]


class Door:
    """The courier's loopback port, as a process finds it in its environment."""

    def __init__(self, socket_path: Path) -> None:
        self.note = socket_path.with_suffix(".port")
        content = json.loads(self.note.read_text())
        self.port, self.token = content["port"], content["token"]

    def connect(self, token: str | None = None, ours: str = "ours") -> socket.socket:
        """Connects and shows a proof of a token, not yet with a request."""
        connection = socket.create_connection(("127.0.0.1", self.port), 60)
        connection.sendall(f"{ours}\n".encode())
        theirs, shown = self.line(connection).split()
        assert _loopback.is_right(shown, self.token, _loopback.COURIER, ours, theirs)
        token = self.token if token is None else token
        connection.sendall(_loopback.proof(token, _loopback.PROCESS, ours, theirs).encode())
        return connection

    def line(self, connection: socket.socket) -> str:
        received = b""
        while not received.endswith(b"\n"):
            data = connection.recv(1)
            assert data, received
            received += data
        return received.decode()


@pytest.fixture
def door(manager: Manager, socket_path: Path) -> Door:
    return Door(socket_path)


def test_a_process_that_has_the_token_asks_by_the_port(manager: Manager, door: Door) -> None:
    variables = "$NNI_COURIER_ADDRESS $NNI_COURIER_TOKEN"
    command = f'echo "{variables}" > $NNI_OUTPUT_DIR/door; {WAIT}'
    manager.launch("one", command)
    manager.wait_for("started")
    connection = door.connect()
    for part in (b" {", b'"trialId":"one"', b"}\n"):  # in pieces, as TCP may deliver it
        connection.sendall(part)
    assert manager.wait_for("ended")["exitCode"] == 0
    manager.launch("two", command)
    assert answer(connection)["NNI_TRIAL_JOB_ID"] == "two"
    assert door.note.stat().st_mode & 0o777 == 0o600
    manager.go("one")
    assert manager.wait_for("ended")["trialId"] == "two"
    door_file = manager.experiment / "trials" / "one" / "door"
    assert door_file.read_text() == f"127.0.0.1:{door.port} {door.token}\n"


@pytest.mark.parametrize("way", ["other token", "no token", "no proof", "long", "reflected", "silent"])
def test_nobody_asks_by_the_port_without_the_token(manager: Manager, door: Door, way: str) -> None:
    manager.launch("one")
    manager.wait_for("started")
    request = b' {"trialId":"one"}\n'
    if way in ("other token", "no token"):
        connection = door.connect(token="x" * 64 if way == "other token" else "")
        connection.sendall(request)
    else:
        connection = socket.create_connection(("127.0.0.1", door.port), 60)
        if way == "long":
            connection.sendall(b"x" * 1000)
        elif way == "no proof":
            connection.sendall(b'{"trialId":"one"}\n{"trialId":"one"}\n x\n')
            door.line(connection)
        elif way == "reflected":  # the courier's own proof is not that of a process
            connection.sendall(b"ours\n")
            connection.sendall(door.line(connection).split()[1].encode() + request)
    if way == "silent":
        crowd = [socket.create_connection(("127.0.0.1", door.port), 60) for _ in range(loopback.MAX_UNKNOWN)]
        with connection, contextlib.suppress(ConnectionResetError):
            assert connection.recv(1000) == b""
        for each in crowd:
            each.close()
    else:
        with connection, contextlib.suppress(ConnectionResetError):
            assert connection.recv(1000) == b""
    known = door.connect()  # the trial was not ended by any of that
    assert not (manager.experiment / "trials" / "one" / ".nni" / "0" / "done.json").exists()
    known.sendall(request)
    assert manager.wait_for("ended")["exitCode"] == 0
    manager.send("release")
    assert answer(known) == {}
    manager.go("one")


@pytest.mark.parametrize("is_taken", [False, True])
def test_the_next_courier_has_the_port_and_the_token(
    tmp_path: Path, socket_path: Path, is_taken: bool
) -> None:
    with running(tmp_path, socket_path) as first:
        first.wait_for("ready")
        first.process.kill()
        first.process.wait()
    before = Door(socket_path)
    with contextlib.ExitStack() as stack:
        if is_taken:
            stack.enter_context(socket.create_server(("127.0.0.1", before.port)))
        with running(tmp_path, socket_path) as second:
            second.wait_for("ready")
            after = Door(socket_path)
            assert after.token == before.token and (after.port == before.port) is not is_taken
            second.launch("one")
            second.wait_for("started")
            connection = after.connect()
            connection.sendall(b' {"trialId":"one"}\n')
            assert second.wait_for("ended")["exitCode"] == 0
            second.send("release")
            assert answer(connection) == {}
            second.go("one")


def test_a_socket_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with running(tmp_path, tmp_path / "missing" / "socket") as manager:
        assert manager.process.wait(30) != 0
        assert manager.process.stderr is not None
        assert b"FileNotFoundError" in manager.process.stderr.read()


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.13"])
def test_every_supported_python(
    tmp_path: Path, socket_path: Path, version: str, find_python: Callable[[str], str]
) -> None:
    with running(tmp_path, socket_path, interpreter=find_python(version)) as manager:
        manager.wait_for("ready")
        manager.launch("one")
        manager.wait_for("started")
        waiting = manager.ask("one")
        manager.wait_for("ended")
        manager.launch("two")
        assert answer(waiting)["NNI_TRIAL_JOB_ID"] == "two"
        manager.send("cancel", trialId="two", signal=2, graceSeconds=1.0)
        assert manager.wait_for("ended")["trialId"] == "two"
        manager.send("shutDown")
        assert manager.process.wait(30) == 0
