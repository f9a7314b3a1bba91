"""This machine as a host: what it says of its GPUs, here those of a stand-in driver tool."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nni_config.processes import process_start_time
from nni_manager.engine.events import TrialEnded, TrialStarted
from nni_manager.testing import fake_nvidia_smi
from nni_manager.testing.fake_nvidia_smi import gpus, install, uuid, write_state
from nni_manager.training.host import Host
from nni_manager.training.interface import TrainingEvent, TrainingServiceError, TrialRun
from nni_manager.training.local.host import LocalHost

MakeHost = Callable[..., LocalHost]


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the driver's tool, which has four GPUs."""
    folder = tmp_path / "tools"
    install(folder, {"gpus": gpus(4)})
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return folder


@pytest.fixture
def make_host(tmp_path: Path) -> MakeHost:
    """Makes hosts with an experiment's folder of their own."""

    def make(emit: Callable[[TrainingEvent], None] = print, command: str = "true") -> LocalHost:
        for name in ("experiment", "code"):
            (tmp_path / name).mkdir(exist_ok=True)
        return LocalHost(
            experiment_id="exp00001",
            experiment_directory=tmp_path / "experiment",
            code_directory=tmp_path / "code",
            command=command,
            emit=emit,
        )

    return make


async def rows(host: Host) -> list[tuple[int, str, int, str]]:
    found = await host.report()
    assert found.gpu_problem == ""
    return [(gpu.index, gpu.identifier, gpu.used_by_others, gpu.problem) for gpu in found.gpus]


async def test_gpus_are_listed_before_it_starts(tools: Path, make_host: MakeHost) -> None:
    before = time.time()
    host: Host = make_host()
    found = await host.report()
    assert host.name == "this machine"
    assert before <= found.at <= time.time()
    assert [gpu.index for gpu in found.gpus] == [0, 1, 2, 3]
    assert {(gpu.name, gpu.memory_total, gpu.memory_used) for gpu in found.gpus} == {
        ("Fake GPU", 24576 << 20, 1 << 20)
    }


async def test_each_report_tells_what_is_so_then(tools: Path, make_host: MakeHost) -> None:
    host = make_host()
    assert [row[2] for row in await rows(host)] == [0, 0, 0, 0]
    write_state(tools, {"gpus": gpus(2), "processes": [{"gpu": 1, "pid": 1}, {"gpu": 1, "pid": os.getpid()}]})
    assert [row[2] for row in await rows(host)] == [0, 2]


async def test_an_inherited_list(tools: Path, make_host: MakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 163: no other GPU is used, and each is named as it was."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", f"{uuid(3)[:12]},{uuid(1)}")
    assert [row[:2] for row in await rows(make_host()) if not row[3]] == [(1, uuid(1)), (3, uuid(3)[:12])]


@pytest.mark.parametrize("clobbers", [False, True], ids=["plain", "clobbers its environment"])
async def test_trials_of_the_experiment_are_not_others(
    tools: Path, make_host: MakeHost, clobbers: bool
) -> None:
    ends: asyncio.Queue[TrainingEvent] = asyncio.Queue()
    shell = "exec env -i FAKE_GPU=1 CUDA_VISIBLE_DEVICES=2 " if clobbers else "exec "
    host = make_host(ends.put_nowait, f"{shell}{sys.executable} -S -c 'input()' </dev/zero")
    write_state(tools, {"gpus": gpus(4), "watched": True})
    await host.start()
    try:
        environment = {"CUDA_VISIBLE_DEVICES": "2", "FAKE_GPU": "1"}
        host.submit(TrialRun("t1", 0, 0, 0, {}, environment))
        assert isinstance(await ends.get(), TrialStarted)
        assert [row[2] for row in await rows(host)] == [0, 0, 0, 0]
        host._experiment_id = "another1"
        assert [row[2] for row in await rows(host)] == [0, 0, 1, 0]
        host.cancel("t1", 0)
        assert isinstance(await ends.get(), TrialEnded)
        assert [row[2] for row in await rows(host)] == [0, 0, 0, 0]
    finally:
        await host.close()


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        (
            {
                "output": "NVIDIA-SMI has failed because it couldn't communicate with the driver.\n",
                "exit_code": 9,
            },
            "/nvidia-smi fails with exit code 9: NVIDIA-SMI has failed because it couldn't communicate",
        ),
        ({"gpus": []}, "/nvidia-smi names no GPU: No devices were found"),
        ({"output": "\x00\x1b[31m\ufffd junk"}, "/nvidia-smi names no GPU: \ufffd junk"),
    ],
)
async def test_a_driver_that_does_not_work(
    tools: Path, make_host: MakeHost, state: dict[str, Any], problem: str
) -> None:
    """Rows 160 and 165."""
    write_state(tools, state)
    found = await make_host().report()
    assert found.gpus == ()
    assert problem in found.gpu_problem


async def test_strange_tables(tools: Path, make_host: MakeHost) -> None:
    """Row 165."""
    state = {
        "gpus": gpus(2, compute_mode="[Insufficient Permissions]"),
        "processes": [{"gpu": 1, "pid": 1}],
        "before": "\x1b[33mWARNING\x1b[0m: infoROM is corrupted at gpu 0000:3B:00.0\n\n",
        "after": "WARNING: infoROM is corrupted at gpu 0000:3B:00.0\n",
        "unknown_fields": ["mig.mode.current"],
        "fields": {"memory.used": "[Insufficient Permissions]", "memory.total": "[N/A]"},
    }
    write_state(tools, state)
    found = await make_host().report()
    assert [(gpu.memory_total, gpu.memory_used, gpu.used_by_others) for gpu in found.gpus] == [
        (None, None, 0),
        (None, None, 1),
    ]


async def test_mig(tools: Path, make_host: MakeHost) -> None:
    """Row 165."""
    instances = [{"profile": "1g.10gb", "uuid": f"MIG-{number}"} for number in range(2)]
    first, second = gpus(2, mig="Enabled")
    state = {
        "gpus": [{**first, "instances": instances}, second],
        "processes": [{"gpu": 0, "pid": 1, "instance": 1}],
    }
    write_state(tools, state)
    assert await rows(make_host()) == [
        (0, "MIG-0", 0, ""),
        (0, "MIG-1", 1, ""),
        (1, "1", 0, "MIG mode without instances"),
    ]


async def test_warnings_are_logged_once(
    tools: Path, make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    write_state(tools, {"gpus": gpus(1), "exit_code": 14})
    host = make_host()
    await rows(host)
    await rows(host)
    told = [record.getMessage() for record in caplog.records]
    assert [text.split(": ")[:2] for text in told] == [
        ["GPUs of this machine", "GPUs may be missing"],
        ["GPUs of this machine", "the processes on GPUs cannot be listed"],
    ]


async def test_a_tool_that_hangs_stops_nothing_and_leaves_nothing(
    tools: Path, make_host: MakeHost, tmp_path: Path
) -> None:
    """The manager goes on meanwhile, and gives up in time, though the program would wait longer."""
    script = f"#!/bin/bash\necho $$ >>{tmp_path}/pids\nsleep 1000 & echo $! >>{tmp_path}/pids\nwait\n"
    (tools / "nvidia-smi").write_text(script)
    host = make_host()
    host.report_seconds = 2.0
    began, ticks = time.monotonic(), 0
    report = asyncio.create_task(host.report())
    while not report.done():
        await asyncio.sleep(0.01)
        ticks += 1
    with pytest.raises(TrainingServiceError, match="did not end within 2 seconds"):
        await report
    assert ticks > 10, time.monotonic() - began
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        while process_start_time(pid) is not None:  # it was sent SIGKILL
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("is_quick", [False, True])
async def test_a_report_that_is_given_up_leaves_nothing(
    tools: Path, make_host: MakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_quick: bool
) -> None:
    """Also where its tools run before this process knows that the program has started."""
    (tools / "nvidia-smi").write_text(f"#!/bin/bash\necho $$ >>{tmp_path}/pids\nsleep 1000\n")
    start = asyncio.create_subprocess_exec

    async def start_slowly(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        process = await start(*arguments, **options)
        try:
            await asyncio.sleep(2)
        except asyncio.CancelledError:  # as asyncio does itself
            process.kill()
            await process.wait()
            raise
        return process

    if is_quick:
        monkeypatch.setattr(asyncio, "create_subprocess_exec", start_slowly)
    report = asyncio.create_task(make_host().report())
    while not (tmp_path / "pids").exists() or not (tmp_path / "pids").read_text():
        await asyncio.sleep(0.01)
    report.cancel()
    with pytest.raises(asyncio.CancelledError):
        await report
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        while process_start_time(pid) is not None:
            await asyncio.sleep(0.01)


async def test_a_program_that_cannot_run(make_host: MakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host = make_host()
    monkeypatch.setattr(sys, "executable", "/no/python")
    with pytest.raises(TrainingServiceError, match=r"cannot be started: .*No such file"):
        await host.report()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(TrainingServiceError, match=r"ended with exit code 1: $"):
        await host.report()
    monkeypatch.setattr(sys, "executable", "/bin/echo")
    with pytest.raises(
        TrainingServiceError, match=r"printed no report of its GPUs, but '-S -m nni\.machine_report"
    ):
        await host.report()


def test_the_stand_in_runs_with_the_oldest_python(tmp_path: Path) -> None:
    import ast

    ast.parse(Path(fake_nvidia_smi.__file__).read_text(), feature_version=(3, 8))
