"""The report of a machine: its GPUs with who uses them, its room, and the program that prints it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nni
import pytest
from nni import machine_report
from nni.machine import gpus, tools, users
from nni.machine.gpus import Gpus, list_gpus

SDK = str(Path(nni.__file__).parent.parent)
SLEEP = [sys.executable, "-S", "-c", "print(flush=True); input()"]


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts processes that wait, and ends them."""
    started: list[subprocess.Popen[bytes]] = []

    def run(command: list[str] = SLEEP, **environment: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()  # until then its environment may be its parent's
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


MakeTool = Callable[[str, str], Path]


@pytest.fixture
def make_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeTool:
    """Makes a tool in the one folder where tools are looked for."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setattr(tools.find_tool, "__defaults__", ([str(folder)],))
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)

    def make(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)
        return path

    return make


def nvidia(*apps: str) -> str:
    """Returns the script of an nvidia-smi with four GPUs and processes on them."""
    rows = "".join(f"{number}, GPU-{number}, Fake, 1000, {number}, Default, [N/A]\\n" for number in range(4))
    return (
        f"""case "$1" in --query-gpu*) printf '{rows}';; --query-compute*) printf '{"".join(apps)}';; esac"""
    )


def summary(found: Gpus) -> list[tuple[int, str, int, str]]:
    return [(it["index"], it["identifier"], it["used_by_others"], it["problem"]) for it in found.gpus]


def test_processes_of_the_experiment_are_not_others(start: Any, make_tool: MakeTool) -> None:
    ours, others = start(NNI_EXP_ID="abc").pid, start(NNI_EXP_ID="abcd").pid
    make_tool(
        "nvidia-smi", nvidia(f"GPU-0, {ours}\\n", f"GPU-1, {others}\\n", f"GPU-1, {ours}\\n", "GPU-3, 1\\n")
    )
    assert [row[2] for row in summary(list_gpus("abc"))] == [0, 1, 0, 1]
    assert [row[2] for row in summary(list_gpus("abcd"))] == [1, 1, 0, 1]
    assert [row[2] for row in summary(list_gpus())] == [1, 2, 0, 1]


def test_a_process_whose_environment_was_overwritten_is_known_by_its_ancestors(start: Any) -> None:
    script = "import os, subprocess, sys; print(subprocess.Popen({!r}, env={{}}).pid, flush=True); input()"
    child = [sys.executable, "-S", "-c", "import time; time.sleep(1000)"]
    parent = subprocess.Popen(
        [sys.executable, "-S", "-c", script.format(child)],
        env={"NNI_EXP_ID": "abc"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    try:
        assert users.count_others([pid, os.getpid(), 1], "abc") == 2
        assert users.count_others([pid], "ab") == 1
    finally:
        os.kill(pid, 9)
        parent.communicate(b"\n")


def test_what_descends_from_the_courier_of_the_experiment_is_its_own(start: Any, tmp_path: Path) -> None:
    (tmp_path / "nni").mkdir()
    (tmp_path / "nni" / "courier.py").write_text(
        "import subprocess, sys\n"
        "print(subprocess.Popen([sys.executable, '-c', 'input()'], stdin=0).pid, flush=True)\n"
        "input()\n"
    )
    command = [sys.executable, "-S", "-m", "nni.courier", "--experiment-id=abc"]
    courier = subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PYTHONPATH": "."}
    )
    assert courier.stdout is not None
    pid = int(courier.stdout.readline())
    assert users.count_others([pid], "abc") == 0
    assert users.count_others([pid], "abcd") == 1
    courier.communicate()


def test_processes_that_cannot_be_seen_are_others() -> None:
    assert users.count_others([999999991, 999999991], "abc") == 1
    assert users.count_others([], "abc") == 0
    assert users.is_gone(999999991)
    assert not users.is_gone(os.getpid())


def test_an_inherited_list_names_the_gpus(make_tool: MakeTool) -> None:
    make_tool("nvidia-smi", nvidia())
    hidden = "not in CUDA_VISIBLE_DEVICES"
    expected = [(0, "0", 0, hidden), (1, "GPU-1", 0, ""), (2, "2", 0, hidden), (3, "GPU-3", 0, "")]
    assert summary(list_gpus(environment={"CUDA_VISIBLE_DEVICES": "GPU-3,GPU-1"})) == expected
    assert [row[3] for row in summary(list_gpus(environment={"CUDA_VISIBLE_DEVICES": ""}))] == [hidden] * 4
    # What AMD's programs heed says nothing here.
    assert not any(row[3] for row in summary(list_gpus(environment={"ROCR_VISIBLE_DEVICES": "0"})))


ROCM = """case "$1" in --showpidgpus) ;; *) echo '{"card0": {}, "card1": {}, "card2": {}}';; esac"""


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, {0: "0", 1: "1", 2: "2"}),
        ({"CUDA_VISIBLE_DEVICES": "2,0"}, {0: "0", 2: "2"}),
        ({"ROCR_VISIBLE_DEVICES": "2,1"}, {1: "1", 2: "0"}),
        ({"HIP_VISIBLE_DEVICES": "0"}, {}),
    ],
)
def test_inherited_lists_of_amd(
    make_tool: MakeTool, environment: dict[str, str], expected: dict[int, str]
) -> None:
    make_tool("rocm-smi", ROCM)
    found = list_gpus(environment=environment)
    assert {row[0]: row[1] for row in summary(found) if not row[3]} == expected
    assert len(found.gpus) == 3


def test_both_lists_of_amd_apply_one_after_the_other(make_tool: MakeTool) -> None:
    make_tool("rocm-smi", ROCM)
    found = list_gpus(environment={"ROCR_VISIBLE_DEVICES": "2,1", "CUDA_VISIBLE_DEVICES": "1"})
    assert [(row[0], row[1]) for row in summary(found) if not row[3]] == [(1, "1")]


def test_no_tool(make_tool: MakeTool) -> None:
    assert list_gpus() == Gpus([], "there is no nvidia-smi, amd-smi or rocm-smi", [], "")


def test_the_driver_is_loaded_but_its_tool_is_not_found(
    make_tool: MakeTool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 160."""
    loaded = tmp_path / "gpus"
    (loaded / "0000:0a:00.0").mkdir(parents=True)
    monkeypatch.setattr(gpus.nvidia, "_LOADED", str(loaded))
    problem = list_gpus().problem
    assert problem.startswith(
        f"NVIDIA's driver is loaded and has 1 GPUs in {loaded}, but there is no nvidia-smi on "
    )
    assert "PATH (/bin:/usr/bin) or in /usr/bin, " in problem


def test_another_tool_is_asked_when_one_fails(make_tool: MakeTool) -> None:
    broken = make_tool("nvidia-smi", "echo no driver; exit 9")
    older = make_tool("amd-smi", "echo no such thing >&2; exit 1")
    assert list_gpus() == Gpus(
        [],
        f"{broken} fails with exit code 9: no driver; {older} fails with exit code 1: no such thing",
        [],
        str(broken),
    )
    older.unlink()
    tool = make_tool("rocm-smi", ROCM)
    found = list_gpus()
    assert (len(found.gpus), found.problem, found.tool) == (3, "", str(tool))


def test_all_tools_together_have_a_time_limit(make_tool: MakeTool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "LISTING_SECONDS", 0.5)
    hanging = make_tool("nvidia-smi", "sleep 1000")
    make_tool("amd-smi", "sleep 1000")
    found = list_gpus()
    assert (found.gpus, found.tool) == ([], str(hanging))
    assert found.problem.startswith(f"{hanging} does not answer within ")
    assert "amd-smi" not in found.problem


def run_program(*words: str, python: str = sys.executable, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [python, "-S", "-m", "nni.machine_report", *words],
        env={"PATH": "/bin:/usr/bin", "PYTHONPATH": SDK, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""
    values = json.loads(done.stdout)
    assert isinstance(values, dict)
    return values


@pytest.mark.parametrize("version", ["3.8", ""])
def test_the_program(tmp_path: Path, find_python: Callable[[str], str], version: str) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/bash\n{nvidia()}\n")
    tool.chmod(0o755)
    before = time.time()
    found = run_program(
        "--experiment-id=abc",
        f"--directory={tmp_path}/not/there",
        python=find_python(version) if version else sys.executable,
        PATH=f"{tmp_path}:/bin:/usr/bin",
        CUDA_VISIBLE_DEVICES="1,2",
    )
    assert [row["identifier"] for row in found["gpus"] if not row["problem"]] == ["1", "2"]
    assert (found["gpu_tool"], found["gpu_problem"], found["gpu_warnings"]) == (str(tool), "", [])
    assert before <= found["time"] <= time.time()
    assert found["python"].startswith(version or sys.version.split()[0])
    assert found["cpu_count"] >= 1
    assert found["free_bytes"] > 0
    assert (found["writable"], found["cuda_visible_devices"]) == ("", "1,2")
    assert {type(found[name]) for name in ("executable", "hostname", "user")} == {str}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nvidia-smi"]


def test_the_program_with_odd_surroundings(tmp_path: Path) -> None:
    found = run_program(CUDA_VISIBLE_DEVICES="\udcff\n", HOME=str(tmp_path))
    assert found["cuda_visible_devices"] == "\udcff\n"


@pytest.mark.parametrize(
    ("name", "reason"), [("file", "Not a directory"), ("loop", ""), ("/proc/nothing", "")], ids=str
)
def test_a_folder_that_cannot_be_written_to(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    _, problem = machine_report._room(str(tmp_path / name / "x"))
    place = "/proc" if name.startswith("/") else tmp_path / name
    assert problem.startswith(f"{place}: ")
    assert reason in problem


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    free, problem = machine_report._room(str(tmp_path))
    assert free is not None
    assert problem == f"{tmp_path}: No space left on device"
    assert list(tmp_path.iterdir()) == []


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unnamed() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(machine_report.getpass, "getuser", unnamed)
    assert machine_report._user() == str(os.getuid())
