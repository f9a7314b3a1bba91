"""Starting a manager: it is waited for as long as it lives, and when it fails everything is said."""

from __future__ import annotations

import gc
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from nni_client.launch import StartError, launch
from nni_client.manager_command import ManagerCommand, TlsFiles
from nni_client.manager_process import describe_exit


@pytest.fixture
def command(home):
    return ManagerCommand(home / "experiments", "abc")


@pytest.fixture
def started(fake_manager):
    running = []
    yield running.append
    for manager in running:
        manager.end()


def test_a_manager_that_starts(command, fake_manager, started):
    fake_manager(slow_start=1.0)
    manager = launch(command)
    started(manager)
    assert manager.address.port > 0
    assert manager.address.token == "secret-token"
    assert "secret-token" not in repr(manager)
    assert manager.version == "4.0.0"
    assert not manager.has_ended
    assert os.getsid(manager.pid) == manager.pid, "Ctrl-C in a terminal must not reach it"
    manager.end()
    assert manager.has_ended
    for path in (command.log_directory, command.log_directory.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in command.log_directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "Experiment abc start: " in (command.log_directory / "nnictl_stderr.log").read_text()


@pytest.mark.parametrize(
    ("behaviour", "texts"),
    [
        (
            {"raise_at_import": "no module x"},
            ["ended before it was ready (exit code 1)", "ImportError: no module x"],
        ),
        ({"exit": 3}, ["ended before it was ready (exit code 3)", "last words", "nnictl_stderr.log"]),
        ({"error": "port 8080 is in use by x"}, ["could not start: port 8080 is in use by x (exit code 1)"]),
    ],
)
def test_a_manager_that_fails(command, fake_manager, behaviour, texts):
    fake_manager(**behaviour)
    with pytest.raises(StartError) as caught:
        launch(command)
    for text in texts:
        assert text in str(caught.value)
    assert isinstance(caught.value, RuntimeError)


def test_only_the_lines_of_this_start_are_shown(command, fake_manager):
    command.log_directory.mkdir(parents=True)
    (command.log_directory / "nnictl_stderr.log").write_text("an old story\n")
    (command.log_directory / "nnimanager.log").write_text("an old log\n")
    fake_manager(exit=1)
    with pytest.raises(StartError, match="last words") as caught:
        launch(command)
    assert "old" not in str(caught.value)


def test_its_own_log_is_shown(command, fake_manager):
    command.log_directory.mkdir(parents=True)
    log = command.log_directory / "nnimanager.log"
    log.write_text("an old log\n" * 50)

    def write_during_start():
        with log.open("a") as file:
            file.write("\n".join(f"new {n}" for n in range(40)) + "\n")

    fake_manager(slow_start=0.5, error="no")
    with pytest.raises(StartError) as caught:
        launch(command, waiting=lambda: _after(write_during_start))
    shown = [line.strip() for line in str(caught.value).splitlines() if line.strip().startswith("new")]
    assert shown == [f"new {n}" for n in range(20, 40)]
    assert "old" not in str(caught.value)


def test_a_reason_is_told_once(command, fake_manager):
    command.log_directory.mkdir(parents=True)
    log = command.log_directory / "nnimanager.log"
    fake_manager(slow_start=0.5, error="port 1 is taken")
    with pytest.raises(StartError) as caught:
        launch(command, waiting=lambda: _after(lambda: log.write_text("ERROR: port 1 is taken\nmore\n")))
    assert str(caught.value).count("port 1 is taken") == 1
    assert "    more" in str(caught.value)


@contextmanager
def _after(action):
    action()
    yield


def test_the_limit_is_settable(command, fake_manager, monkeypatch):
    fake_manager(slow_start=60)
    with pytest.raises(StartError, match=r"not ready within 0\.5 s.*NNI_START_TIMEOUT"):
        launch(command, timeout=0.5)
    monkeypatch.setenv("NNI_START_TIMEOUT", "0.4")
    with pytest.raises(StartError, match=r"not ready within 0\.4 s"):
        launch(command)
    assert no_manager_runs(command)


def test_an_interrupt_ends_the_manager(command, fake_manager):
    fake_manager(slow_start=60)

    @contextmanager
    def interrupted():
        yield_to = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
        yield_to.start()
        yield

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            launch(command, waiting=interrupted)
    finally:
        signal.signal(signal.SIGINT, before)
    assert no_manager_runs(command)


def test_a_module_in_the_working_directory_is_not_taken(
    command, fake_manager, started, tmp_path, monkeypatch
):
    (tmp_path / "grpc.py").write_text("raise ImportError('the wrong one')")
    monkeypatch.chdir(tmp_path)
    started(launch(command))


def test_many_open_files_are_no_problem(command, fake_manager, started):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        started(launch(command))
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_one_that_only_reads_leaves_nothing_behind(home, fake_manager, started):
    command = ManagerCommand(home / "experiments", "abc", view=True)
    started(launch(command))
    assert not (home / "experiments").exists()
    fake_manager(exit=4)
    with pytest.raises(StartError, match="last words"):
        launch(command)


def test_the_command_line():
    command = ManagerCommand(
        Path("/e"),
        "abc",
        port=8080,
        bind="0.0.0.0",
        allowed_hosts=("a.example", "b.example"),
        allow_plaintext=True,
        tls=TlsFiles(Path("/c"), Path("/k"), Path("/a")),
        log_level="debug",
        url_prefix="x/y",
        view=True,
    )
    assert " ".join(command.arguments(7)) == (
        f"{sys.executable} -m nni_manager --experiments-directory /e --experiment-id abc --port 8080 "
        "--bind 0.0.0.0 --allowed-host a.example --allowed-host b.example --allow-plaintext "
        "--tls-certificate /c --tls-key /k --tls-ca /a --log-level debug --url-prefix x/y --view "
        "--lifeline-fd 0 --ready-fd 7"
    )
    assert ManagerCommand(Path("/e"), "abc").arguments(7)[-4:] == ["--bind", "127.0.0.1", "--ready-fd", "7"]


@pytest.mark.parametrize(
    ("interpreter", "cause"),
    [("/nonexistent/python", "No such file"), ("{home}/python", "Permission denied"), ("", "does not know")],
)
@pytest.mark.parametrize("view", [False, True])
def test_an_interpreter_that_cannot_be_run_is_named(
    home, fake_manager, monkeypatch, interpreter, cause, view
):
    (home / "python").write_text("")
    monkeypatch.setattr(sys, "executable", interpreter.format(home=home))
    with pytest.raises(StartError, match=cause) as caught:
        launch(ManagerCommand(home / "experiments", "abc", view=view))
    assert sys.executable in str(caught.value) and "sys.executable" in str(caught.value)
    assert not (home / "experiments" / "abc").exists()


def test_windows_is_refused(command, fake_manager, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(StartError, match="WSL2"):
        launch(command)
    assert not command.log_directory.exists()


@pytest.mark.parametrize(("directory", "cause"), [("/proc/nni", "No such file"), ("taken", "File exists")])
def test_a_folder_that_cannot_be_made_is_named(home, fake_manager, directory, cause):
    fake_manager()
    (home / "taken").write_text("not a folder")
    with pytest.raises(StartError) as caught:
        launch(ManagerCommand(home / directory, "abc"))
    folder = home / directory / "abc"
    for text in (
        f"The experiment's folder {folder} cannot be made or written to",
        cause,
        "working_directory",
    ):
        assert text in str(caught.value)


def test_a_manager_that_nobody_holds_any_more_leaves_no_zombie(command, fake_manager):
    fake_manager()
    manager = launch(command)
    pid = manager.pid
    del manager
    gc.collect()
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    subprocess.run(["true"], check=True)
    assert not Path(f"/proc/{pid}").exists()


def test_how_it_ended_in_words():
    assert describe_exit(3) == "exit code 3"
    assert describe_exit(-9) == "signal 9 (SIGKILL)"
    assert describe_exit(-200) == "signal 200 (unknown)"


def test_a_forked_process_can_tell_whether_it_runs(command, fake_manager, started):
    manager = launch(command)
    started(manager)
    assert in_fork(lambda: manager.has_ended) is False
    assert not manager.has_ended
    manager.end()
    assert in_fork(lambda: manager.has_ended) is True


def in_fork(question):
    pid = os.fork()
    if pid == 0:
        os._exit(10 if question() else 20)
    return {10: True, 20: False}[os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]


def no_manager_runs(command: ManagerCommand) -> bool:
    wanted = os.fsencode(str(command.experiments_directory))
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if wanted in path.read_bytes():
                return False
        except OSError:
            continue
    return True


def test_a_start_that_fails_leaves_only_what_it_wrote(command, fake_manager, started):
    fake_manager(exit=3)
    with pytest.raises(StartError):
        launch(command)
    logs = {path.name: path.read_text() for path in command.log_directory.iterdir()}
    assert logs["nnictl_stdout.log"] == ""
    assert "start: " in logs["nnictl_stderr.log"] and logs["nnictl_stderr.log"].endswith("last words\n")
    fake_manager(error="the record is damaged")
    with pytest.raises(StartError):
        launch(command)
    assert {path.name: path.read_text() for path in command.log_directory.iterdir()} == logs
    fake_manager()
    started(launch(command))
    assert (command.log_directory / "nnictl_stdout.log").read_text().count("start: ") == 1
