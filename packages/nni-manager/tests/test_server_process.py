"""The manager as a process: how it starts, why it does not start, how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from nni_config import local_state
from nni_manager.testing.running_port import example_config
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1.experiment_service_pb2_grpc import ExperimentServiceStub

FAKE, REAL = "nni_manager.testing.fake_manager", "nni_manager"


@dataclass
class Starter:
    """Starts managers and ends what a test leaves."""

    directory: Path
    environment: dict[str, str]
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(
        self, *arguments: str, module: str = FAKE, program: str = ""
    ) -> tuple[Any, subprocess.Popen[str]]:
        """Returns what came by the ready pipe ({} for nothing), and the process."""
        reading, writing = os.pipe()
        command = [sys.executable, *(["-c", program] if program else ["-m", module])]
        process = subprocess.Popen(
            [
                *command,
                "--experiments-directory",
                str(self.directory),
                "--ready-fd",
                str(writing),
                *arguments,
            ],
            pass_fds=[writing],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
        )
        self.processes.append(process)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        assert text.count("\n") <= 1
        return json.loads(text or "{}"), process

    def failure(self, *arguments: str, module: str = REAL, program: str = "") -> str:
        """Starts a manager that cannot start and returns why; stdout and stderr have it too."""
        told, process = self.start(*arguments, module=module, program=program)
        output, _ = process.communicate(timeout=60)
        assert set(told) == {"error"} and process.returncode == 1
        if module == REAL and not program:
            assert told["error"] in output
        return told["error"]


@pytest.fixture
def starter(tmp_path, monkeypatch) -> Iterator[Starter]:
    runtime = tmp_path / "run"
    runtime.mkdir(0o700)
    monkeypatch.setenv("NNI_RUNTIME_DIR", str(runtime))
    found = Starter(tmp_path / "experiments", dict(os.environ))
    yield found
    for process in found.processes:
        process.kill()
        process.communicate()


def _stop(told: dict[str, Any]) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{told['port']}") as channel:
        stub: Any = ExperimentServiceStub(channel)
        metadata = [("authorization", f"Bearer {told['token']}")]
        request = pb.CreateExperimentRequest(request_id=str(uuid.uuid4()), config=example_config())
        name = stub.CreateExperiment(request, metadata=metadata, timeout=30).experiment.name
        stub.StopExperiment(pb.StopExperimentRequest(name=name), metadata=metadata, timeout=30)


def test_a_manager_says_how_to_reach_it_and_ends_when_its_experiment_is_stopped(starter: Starter) -> None:
    told, process = starter.start("--port", "0", "--experiment-id", "mine")
    assert told.keys() == {"port", "pid", "token", "version", "experiment_id", "url"}
    assert told["pid"] == process.pid and told["experiment_id"] == "mine"
    assert told["url"] == f"http://127.0.0.1:{told['port']}/"
    _stop(told)
    output, _ = process.communicate(timeout=30)
    assert (process.returncode, output) == (0, "")
    assert not list((starter.directory.parent / "run").glob("m-*"))
    log = (starter.directory / "mine" / "log" / "nnimanager.log").read_text()
    assert "serves experiment mine" in log and told["token"] not in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_manager_cleanly(starter: Starter, number: signal.Signals) -> None:
    told, process = starter.start("--port", "0", "--experiment-id", "mine")
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert (process.returncode, output) == (0, "")
    assert number.name in (starter.directory / "mine" / "log" / "nnimanager.log").read_text()
    assert local_state.find_manager_by_port(told["port"]) is None
    assert not (starter.directory / "mine" / "manager.json").exists()


def test_the_hang_up_of_a_terminal_does_not_end_a_manager(starter: Starter) -> None:
    told, process = starter.start("--port", "0")
    process.send_signal(signal.SIGHUP)
    _stop(told)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_watcher_does_not_keep_a_manager_from_ending(starter: Starter) -> None:
    told, process = starter.start("--port", "0")
    with grpc.insecure_channel(f"127.0.0.1:{told['port']}") as channel:
        stub: Any = ExperimentServiceStub(channel)
        metadata = [("authorization", f"Bearer {told['token']}")]
        request = pb.CreateExperimentRequest(request_id=str(uuid.uuid4()), config=example_config())
        name = stub.CreateExperiment(request, metadata=metadata, timeout=30).experiment.name
        watch = stub.WatchExperiment(pb.WatchExperimentRequest(name=name), metadata=metadata, timeout=60)
        next(watch)
        process.terminate()
        assert list(watch) == []
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_other_users_can_read_nothing(starter: Starter) -> None:
    told, _ = starter.start("--port", "0", "--experiment-id", "mine")
    assert told["token"]
    runtime = starter.directory.parent / "run"
    for folder in (starter.directory / "mine", *runtime.glob("m-*")):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for file in folder.rglob("*"):
            if file.is_file():
                assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    for process in starter.processes:
        for word in Path(f"/proc/{process.pid}/cmdline").read_text().split("\0"):
            assert told["token"] not in word


def test_the_token_stays_the_same_over_restarts(starter: Starter) -> None:
    tokens = set()
    for _ in range(2):
        told, process = starter.start("--port", "0", "--experiment-id", "mine")
        tokens.add(told["token"])
        process.terminate()
        process.communicate(timeout=30)
    assert len(tokens) == 1


def test_a_manager_is_found_by_its_port(starter: Starter) -> None:
    told, process = starter.start("--port", "0", "--experiment-id", "mine")
    record = local_state.find_manager_by_port(told["port"])
    assert record is not None
    assert (record.experiment_id, record.pid, record.token) == ("mine", process.pid, told["token"])
    assert record.directory == str(starter.directory / "mine")


def test_a_port_held_by_a_manager_is_named_with_the_ways_out(starter: Starter) -> None:
    told, _ = starter.start("--port", "0", "--experiment-id", "first")
    port = str(told["port"])
    error = starter.failure("--port", port, "--experiment-id", "second")
    assert f"port {port} is in use by experiment first" in error
    assert f"Experiment.connect({port})" in error and "nnictl stop first" in error
    assert error in (starter.directory / "second" / "log" / "nnimanager.log").read_text()


def test_a_port_held_by_another_program_is_named_with_the_program(starter: Starter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        error = starter.failure("--port", str(port))
    assert f"port {port} is in use by " in error and f"process {os.getpid()}" in error
    assert not list(starter.directory.iterdir())


def test_only_one_manager_has_an_experiment(starter: Starter) -> None:
    starter.start("--port", "0", "--experiment-id", "mine")
    error = starter.failure("--port", "0", "--experiment-id", "mine")
    assert "experiment mine is run by another manager" in error and "nnictl stop mine" in error


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--port", "x"], "--port: invalid int value: 'x'"),
        (["--bind", "0.0.0.0", "--port", "0"], "--allow-plaintext"),
        (["--view", "--experiment-id", "none"], "no experiment 'none'"),
    ],
    ids=["argument", "bind", "view"],
)
def test_a_wrong_argument_is_told(starter: Starter, arguments: list[str], text: str) -> None:
    assert text in starter.failure(*arguments)


def test_a_folder_that_cannot_be_made_is_told(starter: Starter) -> None:
    starter.directory.write_text("not a folder")
    error = starter.failure("--port", "0")
    assert str(starter.directory) in error and "Not a directory" in error


def test_a_runtime_folder_that_is_open_to_others_is_told(starter: Starter) -> None:
    runtime = Path(starter.environment["NNI_RUNTIME_DIR"])
    runtime.chmod(0o777)
    assert str(runtime) in starter.failure("--port", "0")


def test_a_runtime_folder_with_a_long_path_is_told(starter: Starter, tmp_path) -> None:
    starter.environment["NNI_RUNTIME_DIR"] = str(tmp_path / ("x" * 100))
    assert "NNI_RUNTIME_DIR" in starter.failure("--port", "0")


def test_a_failure_to_import_is_told(starter: Starter) -> None:
    program = (
        "import runpy, sys\nsys.modules['grpc'] = None\nrunpy.run_module('nni_manager', run_name='__main__')"
    )
    error = starter.failure("--port", "0", program=program)
    assert "ModuleNotFoundError" in error and "grpc" in error


@pytest.mark.parametrize(
    "place", ["home.start_logging", "manager.serving", "manager.guarded_calls", "manager.make"]
)
def test_a_fault_anywhere_is_told_and_logged(starter: Starter, place: str) -> None:
    module, _, name = place.partition(".")
    name = {"make": "make_application"}.get(name, name)
    program = (
        "import sys, nni_manager.__main__ as main\n"
        f"import nni_manager.server.manager, nni_manager.server.{module} as module\n"
        "def fail(*arguments): raise LookupError('broken on purpose')\n"
        f"module.{name} = fail\n"
        "run = nni_manager.server.manager.run\n"
        "run.__defaults__ = (nni_manager.server.manager.make_application,)\n"
        "sys.exit(main.main(sys.argv[1:]))"
    )
    error = starter.failure("--port", "0", "--experiment-id", "mine", program=program)
    assert "LookupError: broken on purpose" in error
    if module == "manager":
        log = (starter.directory / "mine" / "log" / "nnimanager.log").read_text()
        assert "Traceback" in log and "broken on purpose" in log


def test_a_manager_killed_at_once_leaves_the_experiment_free(starter: Starter) -> None:
    told, process = starter.start("--port", "0", "--experiment-id", "mine")
    process.kill()
    process.communicate(timeout=30)
    again, process = starter.start("--port", str(told["port"]), "--experiment-id", "mine")
    assert again["port"] == told["port"]


def test_a_folder_made_for_an_experiment_that_never_came_is_removed(starter: Starter) -> None:
    _, process = starter.start("--port", "0")
    assert len(list(starter.directory.iterdir())) == 1
    process.terminate()
    process.communicate(timeout=30)
    assert not list(starter.directory.iterdir())


def test_nobody_waiting_at_the_pipe_does_not_stop_a_manager(starter: Starter) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", FAKE, "--experiments-directory", str(starter.directory)]
    process = subprocess.Popen(
        [*command, "--port", "0", "--experiment-id", "mine", "--ready-fd", str(writing)],
        pass_fds=[writing],
        env=starter.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    starter.processes.append(process)
    os.close(writing)

    async def wait_for_record() -> None:
        while not (starter.directory / "mine" / "manager.json").exists():
            await asyncio.sleep(0.02)

    asyncio.run(asyncio.wait_for(wait_for_record(), 60))
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0
