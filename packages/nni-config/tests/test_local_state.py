"""Records of running managers."""

import json
import logging
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from nni_config.local_state import (
    ManagerRecord,
    find_manager_by_experiment,
    find_manager_by_port,
    remove_manager_record,
    running_managers,
    runtime_directory,
    write_manager_record,
)
from nni_config.processes import is_same_process, process_start_time


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNI_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def experiments(tmp_path: Path) -> Path:
    directory = tmp_path / "home" / "nni-experiments"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "1000"])
    yield process
    process.kill()
    process.wait()


def record_of(
    experiments: Path, pid: int, experiment_id: str = "abcd1234", port: int = 8080
) -> ManagerRecord:
    directory = experiments / experiment_id
    directory.mkdir(exist_ok=True)
    started = process_start_time(pid)
    assert started is not None
    return ManagerRecord(experiment_id, pid, started, port, "127.0.0.1", "", "secret-token", str(directory))


def test_a_manager_is_found_by_port_and_experiment(experiments: Path) -> None:
    record = record_of(experiments, os.getpid())
    write_manager_record(record, Path(record.directory))
    assert find_manager_by_port(8080) == record
    assert find_manager_by_experiment("abcd1234") == record
    assert running_managers() == [record]
    assert find_manager_by_port(8081) is None
    assert find_manager_by_experiment("other") is None
    remove_manager_record(record, Path(record.directory))
    assert running_managers() == []
    assert not (Path(record.directory) / "manager.json").exists()


def test_the_files_are_private_and_the_token_is_not_shown(experiments: Path) -> None:
    record = record_of(experiments, os.getpid())
    write_manager_record(record, Path(record.directory))
    for path in (Path(record.directory) / "manager.json", runtime_directory() / "managers" / "8080.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert json.loads(path.read_text())["token"] == "secret-token"
    assert stat.S_IMODE(runtime_directory().stat().st_mode) == 0o700
    assert "secret-token" not in repr(record)
    assert [path.name for path in Path(record.directory).iterdir()] == ["manager.json"]


def test_the_record_of_a_manager_that_knew_no_tls_is_read(experiments: Path) -> None:
    record = record_of(experiments, os.getpid())
    write_manager_record(record, Path(record.directory))
    path = runtime_directory() / "managers" / "8080.json"
    fields = json.loads(path.read_text())
    del fields["ca_file"], fields["tls_name"]
    path.write_text(json.dumps(fields))
    assert find_manager_by_port(8080) == record
    secure = replace(record, ca_file="/x/manager-ca.pem", tls_name="manager.test")
    write_manager_record(secure, Path(record.directory))
    assert find_manager_by_port(8080) == secure
    (Path(record.directory) / "manager.json").unlink()
    path.write_text(json.dumps({**fields, "ca_file": 5}))
    assert find_manager_by_port(8080) is None


def test_a_dead_manager_is_not_found_and_its_files_go(
    experiments: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    record = record_of(experiments, sleeper.pid)
    write_manager_record(record, Path(record.directory))
    assert running_managers() == [record]
    sleeper.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    # The process is a zombie now: it has an id, but does not run.
    assert find_manager_by_port(8080) is None
    assert not (runtime_directory() / "managers" / "8080.json").exists()
    assert not (Path(record.directory) / "manager.json").exists()


def test_another_process_with_the_same_id_is_not_the_manager(experiments: Path) -> None:
    record = record_of(experiments, os.getpid())
    write_manager_record(
        replace(record, process_start_time=record.process_start_time - 1), Path(record.directory)
    )
    assert running_managers() == []


def test_a_manager_is_found_although_the_runtime_folder_was_emptied(
    experiments: Path, tmp_path: Path
) -> None:
    record = record_of(experiments, os.getpid())
    write_manager_record(record, Path(record.directory))
    (runtime_directory() / "managers" / "8080.json").unlink()
    assert find_manager_by_port(8080) == record
    assert find_manager_by_experiment("abcd1234") == record
    assert running_managers([tmp_path]) == []
    assert find_manager_by_experiment("abcd1234", [experiments]) == record


def test_the_record_of_a_successor_is_left_alone(experiments: Path, sleeper: subprocess.Popen[bytes]) -> None:
    old = record_of(experiments, sleeper.pid)
    new = record_of(experiments, os.getpid())
    write_manager_record(new, Path(new.directory))
    remove_manager_record(old, Path(old.directory))
    assert running_managers() == [new]


def test_managers_come_by_port(experiments: Path, sleeper: subprocess.Popen[bytes]) -> None:
    records = [
        record_of(experiments, os.getpid(), "bbbb1111", 9000),
        record_of(experiments, sleeper.pid, "aaaa1111", 80),
    ]
    for record in records:
        write_manager_record(record, Path(record.directory))
    assert [record.port for record in running_managers()] == [80, 9000]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": "x"}'])
def test_a_file_that_is_no_record_is_said_and_passed_over(
    experiments: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    record = record_of(experiments, os.getpid())
    write_manager_record(record, Path(record.directory))
    (runtime_directory() / "managers" / "1.json").write_text(text)
    with caplog.at_level(logging.WARNING):
        assert running_managers() == [record]
    assert "1.json" in caplog.text


def test_start_times_tell_processes_apart(sleeper: subprocess.Popen[bytes]) -> None:
    started = process_start_time(sleeper.pid)
    assert started is not None
    assert started == process_start_time(sleeper.pid)
    assert is_same_process(sleeper.pid, started)
    assert not is_same_process(sleeper.pid, started + 0.01)
    assert process_start_time(2**30) is None


@pytest.mark.skipif(sys.platform != "linux", reason="names of programs are read from /proc")
def test_the_name_of_the_program_does_not_confuse(tmp_path: Path) -> None:
    program = tmp_path / "a) S (b 1 2 3"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(program), "1000"])
    try:
        started, ours = process_start_time(process.pid), process_start_time(os.getpid())
        assert started is not None and ours is not None
        assert started >= ours
    finally:
        process.kill()
        process.wait()


def test_the_runtime_folder_is_where_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert runtime_directory() == tmp_path / "runtime"
    monkeypatch.delenv("NNI_RUNTIME_DIR")
    (tmp_path / "session").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "session"))
    assert runtime_directory() == tmp_path / "session" / "nni"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "gone"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert runtime_directory() == tmp_path / f"nni-{os.getuid()}"
    monkeypatch.setenv("XDG_RUNTIME_DIR", "session")
    assert runtime_directory() == tmp_path / f"nni-{os.getuid()}"


@pytest.mark.parametrize("mode", [0o777, 0o750, 0o701])
def test_a_runtime_folder_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    folder.chmod(mode)
    with pytest.raises(PermissionError, match=r"open to other users .* NNI_RUNTIME_DIR"):
        runtime_directory()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(PermissionError, match="is a link or a file"):
        runtime_directory()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make folders of others")
def test_a_runtime_folder_of_someone_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)
    with pytest.raises(PermissionError, match="belongs to user 12345"):
        runtime_directory()
