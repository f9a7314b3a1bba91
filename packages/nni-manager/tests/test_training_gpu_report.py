"""What the manager makes of a machine's report."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni import machine_report
from nni_manager.training.gpu_report import parse_machine_report, program_arguments
from nni_manager.training.host import Gpu, HostReport
from nni_manager.training.interface import TrainingServiceError

GPU: dict[str, Any] = {
    "index": 3,
    "identifier": "GPU-3",
    "name": "Fake GPU",
    "uuid": "GPU-3",
    "used_by_others": 2,
    "memory_total": 1000,
    "memory_used": None,
    "problem": "",
}
REPORT: dict[str, Any] = {
    "python": "3.8.18",
    "executable": "/usr/bin/python3",
    "hostname": "gpu-a",
    "user": "me",
    "cpu_count": 8,
    "free_bytes": 5,
    "writable": "",
    "gpus": [GPU],
    "gpu_problem": "",
    "gpu_warnings": ["GPUs may be missing"],
    "gpu_tool": "/usr/bin/nvidia-smi",
    "cuda_visible_devices": None,
    "time": 12.5,
}


def line(**changes: Any) -> bytes:
    return json.dumps({**REPORT, **changes}).encode() + b"\n"


def test_a_report() -> None:
    found = parse_machine_report(line(), at=7.0)
    gpu = Gpu(3, "GPU-3", used_by_others=2, name="Fake GPU", memory_total=1000, memory_used=None)
    assert found.host == HostReport((gpu,), "", 7.0)
    assert (found.python, found.executable, found.time) == ("3.8.18", "/usr/bin/python3", 12.5)
    assert (found.hostname, found.user, found.cpu_count, found.free_bytes) == ("gpu-a", "me", 8, 5)
    assert (found.writable, found.warnings, found.cuda_visible_devices) == (
        "",
        ("GPUs may be missing",),
        None,
    )


def test_what_a_newer_program_adds_does_not_matter() -> None:
    found = parse_machine_report(line(more=1, gpus=[{**GPU, "more": {}}], cuda_visible_devices="3"), at=7.0)
    assert (found.host.gpus[0].index, found.cuda_visible_devices) == (3, "3")


@pytest.mark.parametrize(
    "output",
    [
        b"Welcome to gpu-a!\n{not json}\n" + line(),
        line() + b"logout\n",
        b"motd without an end of line" + line(),
        b'{"a": 1}\n' + line() + b'{"a": 1}\n{"',
        b"\xff\xfe\n" + line() + b"\xff",
    ],
)
def test_a_login_shell_may_print_around_it(output: bytes) -> None:
    assert parse_machine_report(output, at=7.0).host.gpus[0].index == 3


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (b"", "it printed no report of its GPUs, but ''"),
        (b"This account is  currently not available.\n", "This account is currently not available."),
        (b"[" * 100000, "it printed no report of its GPUs"),
        (b'{"' + b'a":{"' * 100000, "it printed no report of its GPUs"),
        (b'{"gpus": []}', "its report of GPUs is not understood: KeyError('gpu_problem')"),
        (line(gpus=[{"index": 1, "used_by_others": 0}]), "KeyError('identifier')"),
        (line(gpus=3), "not iterable"),
        (line(gpus=[{**GPU, "index": None}]), "must be numbers"),
        (line(gpus=[{**GPU, "used_by_others": -1}]), "-1 is no whole number from 0 on"),
        (line(gpus=[{**GPU, "index": True}]), "True is no whole number"),
        (line(gpus=[{**GPU, "memory_total": "3"}]), "'3' is no whole number"),
        (line(gpu_problem=None), "None is no text"),
        (line(time="soon"), "could not convert"),
    ],
)
def test_what_is_no_report(output: bytes, message: str) -> None:
    with pytest.raises(TrainingServiceError) as caught:
        parse_machine_report(output, at=7.0)
    assert message in str(caught.value)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(GPU)), inner, max_size=9)
    ),
    max_leaves=10,
)


@given(
    st.binary() | st.dictionaries(st.sampled_from(sorted(REPORT)), ANY).map(lambda changes: line(**changes))
)
def test_no_output_is_too_strange(output: bytes) -> None:
    try:
        found = parse_machine_report(output, at=7.0)
    except TrainingServiceError:
        return
    assert all(gpu.index >= 0 and gpu.used_by_others >= 0 for gpu in found.host.gpus)


def test_the_program_understands_how_it_is_called(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    called = []
    monkeypatch.setattr(
        machine_report, "machine_report", lambda *arguments: called.append(arguments) or {"gpus": []}
    )
    machine_report.main(program_arguments("abc", "/a folder/-x")[3:])
    assert called == [("abc", "/a folder/-x")]
    assert capsysbinary.readouterr().out == b'{"gpus": []}\n'
