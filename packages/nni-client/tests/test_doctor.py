"""nnictl doctor: every check is seen failing, and says how to repair it."""

from __future__ import annotations

import itertools
import json
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from nni.machine.gpus import MISSING, Gpus
from nni_client import doctor
from nni_client.doctor import (
    CHECKS,
    Level,
    examine,
    folder_checks,
    is_healthy,
    machine_checks,
    manager_checks,
    network_checks,
    python_checks,
)
from nni_client.doctor.folder_checks import Probe, Room, check_folder
from nni_client.doctor.machine_checks import Clocks, ProcessLimit
from nni_client.doctor.manager_checks import Unnamed
from nni_client.launch import StartError, launch
from nni_client.limits import open_files_problem
from nni_client.manager_command import ManagerCommand
from nni_config.local_state import ManagerRecord, runtime_directory, write_manager_record
from nni_config.processes import process_start_time


def refusing(error: Exception) -> Callable[..., Any]:
    def refuse(*arguments: Any, **options: Any) -> Any:
        raise error

    return refuse


def answering(returncode: int, stdout: str = "", stderr: str = "") -> Callable[..., Any]:
    return lambda command, **options: subprocess.CompletedProcess(command, returncode, stdout, stderr)


def clocks(*readings: tuple[float, float]) -> Callable[[], Clocks]:
    steps = itertools.chain(readings)
    return lambda: Clocks(*next(steps))


NOW = 1_800_000_000.0
GOOD = {"probe": lambda folder: Probe(0.0, 0.0), "room": lambda folder: Room(2**40, None)}
GPU = {"index": 1, "name": "X", "used_by_others": 0, "memory_total": 80 << 20, "problem": ""}
EXPIRED = subprocess.TimeoutExpired("a", 10)


def folder(**facts: Any) -> Callable[[], Any]:
    return lambda: check_folder(Path("/"), **{**GOOD, "on_network": lambda folder: False, **facts})


def foreign() -> str:
    return "Microsoft's nni 3.0 is there. Repair it with\n    pip uninstall nni\n    pip install nni-trial"


FAILING: dict[str, list[tuple[Callable[[], Any], Level, str, str]]] = {
    "python": [
        (
            lambda: python_checks.check_python((3, 9, 1), "/p", "linux"),
            Level.FAILURE,
            "3.9.1 is too old",
            "later",
        ),
        (
            lambda: python_checks.check_python((3, 11, 1), "", "linux"),
            Level.FAILURE,
            "own interpreter",
            "full path",
        ),
        (lambda: python_checks.check_python((3, 11, 1), "/p", "win32"), Level.FAILURE, "Windows", "WSL2"),
    ],
    "other nni": [
        (
            lambda: python_checks.check_other_nni(foreign),
            Level.FAILURE,
            "Microsoft's nni 3.0 is there.",
            "pip uninstall nni; pip install nni-trial",
        )
    ],
    "packages": [
        (
            lambda: python_checks.check_versions(["nni-nothing"]),
            Level.FAILURE,
            "nni-nothing is not installed",
            "-m pip install nni-nothing",
        )
    ],
    "imports": [
        (
            lambda: python_checks.check_imports(["json", "grpc.nothing"]),
            Level.FAILURE,
            "grpc.nothing cannot be imported: ModuleNotFoundError",
            "--force-reinstall grpcio",
        ),
        (
            lambda: python_checks.check_imports(executable="/no/such/python"),
            Level.FAILURE,
            "/no/such/python cannot be run",
            "reinstall Python",
        ),
    ],
    "experiments folders": [
        (
            lambda: check_folder(Path("/dev/null")),
            Level.FAILURE,
            "/dev/null is no folder",
            "name another folder",
        ),
        (lambda: check_folder(Path("/dev/null/a")), Level.FAILURE, "/dev/null is no folder", "name another"),
        (
            folder(probe=refusing(PermissionError(13, "Permission denied"))),
            Level.FAILURE,
            "/ cannot be written to: Permission denied",
            "make it writable",
        ),
        (folder(room=lambda _: Room(2**20, 5)), Level.FAILURE, "only 1 MiB are free", "make room"),
        (folder(room=lambda _: Room(2**29, 5)), Level.WARNING, "only 512 MiB are free", "make room"),
        (folder(room=lambda _: Room(2**40, 0)), Level.FAILURE, "no more files", "delete files"),
        (
            folder(probe=lambda _: Probe(0.5, 0.0)),
            Level.WARNING,
            "slow, one small file took 0.5 s",
            "local disk",
        ),
        (folder(probe=lambda _: Probe(0.0, -90.0)), Level.WARNING, "clock is -90 s off", "time server"),
        (folder(on_network=lambda _: True), Level.NOTE, "on a network file system", ""),
    ],
    "temporary folder": [
        (
            lambda: check_folder(Path("/dev/null"), repair=folder_checks._TEMPORARY_ELSEWHERE),
            Level.FAILURE,
            "is no folder",
            "TMPDIR",
        )
    ],
    "runtime folder": [
        (
            lambda: folder_checks.check_runtime_directory(refusing(PermissionError("it is open to others"))),
            Level.FAILURE,
            "it is open to others",
            "chmod 700",
        )
    ],
    "ports": [
        (
            lambda: network_checks.check_ports(connect=refusing(OSError("Network is unreachable"))),
            Level.FAILURE,
            "Network is unreachable",
            "ip link set lo up",
        ),
        (
            lambda: network_checks.check_ports(resolve=refusing(socket.gaierror("unknown"))),
            Level.WARNING,
            "localhost does not lead to 127.0.0.1",
            "/etc/hosts",
        ),
        (
            lambda: network_checks.check_ports(is_free=lambda port: False),
            Level.WARNING,
            "8080 is used by another program",
            "--port 0",
        ),
    ],
    "proxies": [
        (
            lambda: network_checks.check_proxies({"HTTP_PROXY": "a", "grpc_proxy": "a", "no_proxy": "b"}),
            Level.WARNING,
            "http_proxy, grpc_proxy: set for 127.0.0.1 and localhost too",
            "export no_proxy=b,127.0.0.1,localhost",
        )
    ],
    "managers": [
        (
            lambda: manager_checks.check_managers([], lambda: [Unnamed(77, "abcd1234", 100.0)]),
            Level.WARNING,
            "process 77 is a manager of experiment abcd1234 that no record names",
            "kill 77",
        )
    ],
    "clock": [
        (
            lambda: machine_checks.check_clock(clocks((0.0, 5.0))),
            Level.FAILURE,
            "the year is 1970",
            "time server",
        ),
        (
            lambda: machine_checks.check_clock(clocks((NOW, 1.0), (NOW + 3600.2, 1.2)), lambda _: None),
            Level.WARNING,
            "the clock was set by +3600.00 s",
            "time server",
        ),
    ],
    "limits": [
        (
            lambda: machine_checks.check_limits(lambda: 12, lambda: None),
            Level.FAILURE,
            "open files: 12 at most, a manager needs 64",
            "ulimit -n 1024",
        ),
        (
            lambda: machine_checks.check_limits(lambda: 256, lambda: None),
            Level.WARNING,
            "open files: 256 at most",
            "ulimit -n 1024",
        ),
        (
            lambda: machine_checks.check_limits(lambda: None, lambda: ProcessLimit(3, "ulimit -u is 40")),
            Level.FAILURE,
            "3 more may be started (ulimit -u is 40)",
            "ulimit -u",
        ),
        (
            lambda: machine_checks.check_limits(lambda: None, lambda: ProcessLimit(100, "pids.max is 200")),
            Level.WARNING,
            "100 more may be started (pids.max is 200)",
            "--pids-limit",
        ),
    ],
    "bash": [
        (lambda: machine_checks.check_bash(path=""), Level.WARNING, "there is no bash", "install bash"),
        (
            lambda: machine_checks.check_bash(answering(127)),
            Level.FAILURE,
            "'exit 7' gives exit code 127",
            "reinstall bash",
        ),
        (
            lambda: machine_checks.check_bash(refusing(EXPIRED)),
            Level.FAILURE,
            "cannot be run",
            "reinstall bash",
        ),
    ],
    "locale": [
        (
            lambda: machine_checks.check_locale({"file names": "utf-8", "text files": "ANSI_X3.4-1968"}),
            Level.WARNING,
            "text files are ANSI_X3.4-1968, not UTF-8",
            "LC_ALL=C.UTF-8",
        )
    ],
    "gpu": [
        (
            lambda: machine_checks.check_gpu(lambda: Gpus([], "/smi fails with exit code 9: X", [], "/smi")),
            Level.FAILURE,
            "/smi fails with exit code 9: X",
            "driver",
        ),
        (
            lambda: machine_checks.check_gpu(lambda: Gpus([], "the driver is loaded, but", [], "")),
            Level.FAILURE,
            "the driver is loaded, but",
            "put the folder of nvidia-smi on PATH",
        ),
        (
            lambda: machine_checks.check_gpu(lambda: Gpus([GPU], "", ["GPUs may be missing"], "/smi")),
            Level.WARNING,
            "GPUs may be missing",
            "see what smi says",
        ),
        (
            lambda: machine_checks.check_gpu(lambda: Gpus([], MISSING, [], "")),
            Level.NOTE,
            "there is no nvidia-smi",
            "",
        ),
        (
            lambda: machine_checks.check_gpu(lambda: Gpus([GPU], "", [], "/smi")),
            Level.OK,
            "1: X, 80 MiB",
            "",
        ),
        (
            lambda: machine_checks.check_gpu(
                lambda: Gpus([{**GPU, "used_by_others": 2, "memory_total": None}], "", [], "/smi")
            ),
            Level.NOTE,
            "1: X: 2 processes on it; trials need use_active_gpu",
            "",
        ),
        (
            lambda: machine_checks.check_gpu(lambda: Gpus([{**GPU, "problem": "lost"}], "", [], "/smi")),
            Level.NOTE,
            "1: X, 80 MiB: trials cannot use it: lost",
            "",
        ),
    ],
}
CASES = [(name, *case) for name, cases in FAILING.items() for case in cases]


@pytest.mark.parametrize(("name", "check", "level", "text", "repair"), CASES)
def test_each_check_fails_and_says_what_to_do(
    home: Path, name: str, check: Callable[[], Any], level: Level, text: str, repair: str
) -> None:
    assert name in CHECKS
    found = [it for it in check() if text in it.text]
    assert [it.level for it in found] == [level], check()
    assert repair in found[0].repair
    assert bool(found[0].repair) == (level in (Level.WARNING, Level.FAILURE))


def test_no_check_is_without_a_failing_case() -> None:
    assert list(FAILING) == list(CHECKS)


def test_a_package_whose_needs_are_not_met(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = ["grpcio>=99", "nothing-at-all>1; python_version >= '3'", "unneeded; extra == 'more'", "rich>=1"]
    known = {"ours": SimpleNamespace(version="4.0", requires=needs)}
    real = metadata.distribution
    monkeypatch.setattr(metadata, "distribution", lambda name: known.get(name) or real(name))
    found = python_checks.check_versions(["ours"])
    assert [it.level for it in found] == [Level.FAILURE] * 2
    assert found[0].text.startswith("ours 4.0 needs grpcio>=99, and ")
    assert found[0].repair.endswith("-m pip install --upgrade 'grpcio>=99'")
    assert found[1].text == "ours 4.0 needs nothing-at-all>1, which is not installed"


def test_a_module_that_takes_python_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "crashing.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    (tmp_path / "exiting.py").write_text("import os\nos._exit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (found,) = python_checks.check_imports(["json", "crashing", "pydantic"])
    assert found.text == "importing crashing ends the interpreter (signal 11)"
    assert found.repair.endswith("--force-reinstall crashing")
    (found,) = python_checks.check_imports(["exiting"])
    assert found.text == "importing exiting ends the interpreter (exit code 3)"


def test_a_folder_that_is_not_there_yet_is_fine_and_is_not_made(tmp_path: Path) -> None:
    (found,) = check_folder(tmp_path / "a" / "b", room=lambda _: Room(2**40, 5))
    assert found.text == f"{tmp_path}/a/b (not there yet): writable, {2**20} MiB free"
    assert list(tmp_path.iterdir()) == []


def test_every_folder_that_was_used_is_checked(home: Path) -> None:
    found = folder_checks.check_experiments_directories([home, home / "other"])
    assert [it.text.split(":")[0] for it in found] == [str(home), f"{home}/other (not there yet)"]
    (home / "nni-experiments").write_text("")
    (found_by_default,) = folder_checks.check_experiments_directories()
    assert found_by_default.level is Level.FAILURE


# The names of these tests are part of a path that must be short enough for sockets.
def test_open_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = folder_checks.check_runtime_directory()
    assert found.level is Level.OK
    (home / "runtime").chmod(0o755)
    (found,) = folder_checks.check_runtime_directory()
    assert found.level is Level.FAILURE
    assert "open to other users (mode 755)" in found.text
    long = home / ("a" * 80)
    long.mkdir(mode=0o700)
    (found,) = folder_checks.check_runtime_directory(lambda: long)
    assert (found.level, "too long" in found.text) == (Level.FAILURE, True)


def test_a_port_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not network_checks.is_port_free(port)
    assert network_checks.is_port_free(port)
    network_checks.connect_to_itself()


@pytest.fixture
def record(home: Path) -> Callable[..., ManagerRecord]:
    """Writes the record of a manager, which is this process."""

    def write(port: int, pid: int = os.getpid(), **facts: Any) -> ManagerRecord:
        directory = home / "nni-experiments" / "abcd1234"
        directory.mkdir(parents=True, exist_ok=True)
        start = process_start_time(pid) or 1.0
        facts = {"url_prefix": "", "token": "t", "directory": str(directory), **facts}
        written = ManagerRecord("abcd1234", pid, start, port, "127.0.0.1", **facts)
        write_manager_record(written, directory)
        return written

    return write


def test_the_usual_port_of_an_experiment_of_ones_own(record: Callable[..., ManagerRecord]) -> None:
    record(8080)
    found = network_checks.check_ports(is_free=lambda port: False)
    assert found[-1].level is Level.NOTE
    assert found[-1].text == "the usual port 8080 is that of experiment abcd1234"


def managers_found(**facts: Any) -> list[tuple[Level, str]]:
    found = manager_checks.check_managers(processes=lambda: [], **facts)
    return [(it.level, it.text) for it in found]


def test_a_manager_that_does_not_answer(record: Callable[..., ManagerRecord]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        written = record(server.getsockname()[1])
        assert managers_found(does_answer=lambda record: True) == [(Level.OK, "1 running")]
        assert managers_found(does_answer=lambda record: False)[1] == (
            Level.FAILURE,
            f"the manager of experiment abcd1234 (process {os.getpid()}) does not answer "
            f"on port {written.port}",
        )


def test_who_answers_and_who_does_not(
    record: Callable[..., ManagerRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        written = record(server.getsockname()[1])

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        assert manager_checks.answers(written)
        thread.join()
        monkeypatch.setattr(manager_checks, "_SECONDS", 0.05)
        assert not manager_checks.answers(written)  # the connection is accepted, but nobody answers
    assert not manager_checks.answers(written)


def test_records_of_managers_that_have_gone_and_what_is_none(
    home: Path, record: Callable[..., ManagerRecord], caplog: pytest.LogCaptureFixture
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    record(5001, pid=gone.pid)
    broken = runtime_directory() / "managers" / "5002.json"
    broken.write_text("{")
    assert managers_found() == [
        (Level.OK, "0 running"),
        (Level.WARNING, f"the record of a manager in {broken} cannot be read"),
        (Level.NOTE, "records of managers that have gone were removed: 1"),
    ]
    broken.unlink()
    assert managers_found() == [(Level.OK, "0 running")]


def test_managers_are_told_from_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    ours = SimpleNamespace(real=os.getuid())
    lines = [
        ["python", "-m", "nni_manager", "--experiment-id", "abcd1234", "--port", "0"],
        ["python", "-m", "nni_manager", "--view", "--experiment-id", "abcd1234"],
        ["python", "-m", "nni_manager"],
        ["python", "-m", "nni.courier"],
        None,
    ]
    found = [
        SimpleNamespace(info={"cmdline": line, "uids": ours, "create_time": 0.0, "pid": number})
        for number, line in enumerate(lines)
    ]
    found[2].info["uids"] = SimpleNamespace(real=os.getuid() + 1)
    monkeypatch.setattr(psutil, "process_iter", lambda names: found)
    assert [(it.pid, it.experiment_id) for it in manager_checks.manager_processes()] == [(0, "abcd1234")]


def test_the_limit_of_a_container(tmp_path: Path) -> None:
    assert machine_checks._limit_of_container(tmp_path) is None
    (tmp_path / "pids.current").write_text("30\n")
    (tmp_path / "pids.max").write_text("max\n")
    assert machine_checks._limit_of_container(tmp_path) is None
    (tmp_path / "pids.max").write_text("50\n")
    assert machine_checks._limit_of_container(tmp_path) == ProcessLimit(20, "pids.max is 50")


@pytest.mark.parametrize("without", ["127.0.0.1,localhost", "*", "127.0.0.0/8, .localhost"])
def test_proxies_that_are_not_used_here(without: str) -> None:
    (found,) = network_checks.check_proxies({"https_proxy": "http://10.0.0.1:3128", "NO_PROXY": without})
    assert found.level is Level.OK


def test_a_check_that_breaks_is_a_failure() -> None:
    ((name, finding),) = examine({"broken": refusing(KeyError("a"))})
    assert (name, finding.level) == ("broken", Level.FAILURE)
    assert finding.text == "this could not be checked: KeyError: 'a'"
    assert not is_healthy([(name, finding)])
    assert doctor.is_healthy([])


def nnictl_doctor(home: Path, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(home), "NNI_RUNTIME_DIR": str(home / "runtime")}
    environment.update(options.pop("environment", {}))
    command = [sys.executable, "-c", "from nni_client.commands import main; main()", "doctor", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, **options)


def test_machines(home: Path) -> None:
    done = nnictl_doctor(home, "--json")
    answer = json.loads(done.stdout)
    failures = [it for it in answer["findings"] if it["level"] == "failure"]
    assert (done.returncode, answer["healthy"], failures) == (0, True, [])
    assert {it["check"] for it in answer["findings"]} == set(CHECKS)
    (home / "nni-experiments").write_text("")
    tools = home / "tools"
    tools.mkdir()
    (tools / "nvidia-smi").write_text("#!/bin/sh\necho no devices\nexit 6\n")
    (tools / "nvidia-smi").chmod(0o755)
    done = nnictl_doctor(
        home,
        environment={"PATH": f"{tools}:{os.environ['PATH']}", "http_proxy": "http://10.0.0.1:3128"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12)),
    )
    assert done.returncode == 1
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    for line in (
        "FAILURE: limits: open files: 12 at most, a manager needs 64",
        f"FAILURE: gpu: {tools}/nvidia-smi fails with exit code 6: no devices",
        "WARNING: proxies: http_proxy: set for 127.0.0.1 and localhost too; nnictl does not use it there, "
        "browsers and curl do",
        f"FAILURE: experiments folders: {home}/nni-experiments: {home}/nni-experiments is no folder",
    ):
        assert lines[lines.index(line) + 1].startswith("    repair: ")
    assert lines[-1].startswith("Experiments cannot run here as they should: 3 failures, ")


def test_on_a_terminal_it_is_a_table(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nni_client.commands import examining

    checks = {"a": lambda: [doctor.findings.ok("fine"), doctor.findings.failure("bad", "do this")]}
    monkeypatch.setattr(examining, "is_terminal", lambda: True)
    monkeypatch.setattr(examining, "examine", lambda: examine(checks))
    with pytest.raises(typer.Exit) as end:
        examining.show_examination(as_json=False)
    assert end.value.exit_code == 1
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[:3] == [["a", "ok", "fine"], ["failure", "bad"], ["repair:", "do", "this"]]
    assert lines[3][-2:] == ["1", "failure."]


def test_no_manager_is_started_where_it_would_crash(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlimited = resource.RLIM_INFINITY
    for limits, end in (((12, 12), "(ask an administrator)"), ((12, unlimited), "ulimit -n 1024")):
        monkeypatch.setattr(resource, "getrlimit", lambda which, limits=limits: limits)
        with pytest.raises(StartError, match="may have only 12 files open here") as error:
            launch(ManagerCommand(home / "experiments", "abcd1234"))
        assert str(error.value).endswith(end)
    assert not (home / "experiments").exists()
    monkeypatch.setattr(resource, "getrlimit", lambda which: (64, 64))
    assert open_files_problem() is None
    monkeypatch.setattr(resource, "getrlimit", lambda which: (unlimited, unlimited))
    assert open_files_problem() is None


def test_not_utf8(home: Path) -> None:
    bare = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = nnictl_doctor(home, "--json", environment=bare)
    (found,) = [it for it in json.loads(done.stdout)["findings"] if it["check"] == "locale"]
    assert (done.returncode, found["level"]) == (0, "warning")


def test_no_traces(home: Path) -> None:
    nnictl_doctor(home)
    assert sorted(it.relative_to(home).as_posix() for it in home.rglob("*")) == [
        "runtime",
        "runtime/managers",
    ]
