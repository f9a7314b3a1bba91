"""What the tools of AMD's driver print, and what is understood of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni.machine import amd
from nni.machine.devices import MEBIBYTE, Listing
from nni.machine.tools import Answer, Deadline

Lists = Callable[..., Listing]


@pytest.fixture
def amd_smi(monkeypatch: pytest.MonkeyPatch) -> Lists:
    """Lists the GPUs of an amd-smi whose commands answer so."""

    def listed(**answers: Any) -> Listing:
        def ask(commands: Sequence[Sequence[str]], deadline: Deadline) -> list[Answer]:
            found = [answers.get(command[1], "") for command in commands]
            return [it if isinstance(it, Answer) else Answer(it) for it in found]

        monkeypatch.setattr(amd, "ask", ask)
        return amd.list_by_amd_smi("/amd-smi", Deadline(9))

    return listed


LIST = json.dumps(
    [
        {"gpu": 0, "bdf": "0000:11:00.0", "uuid": "74ff74a1-0000-1000-80b7-000000000001"},
        {"gpu": 1, "bdf": "0000:2F:00.0", "uuid": "74ff74a1-0000-1000-80b7-000000000002"},
    ]
)
NAMES = [{"gpu": number, "asic": {"market_name": "AMD Instinct MI300X"}} for number in range(2)]
MEMORY = {
    "gpu": 0,
    "mem_usage": {"total_vram": {"value": 196288, "unit": "MB"}, "used_vram": {"value": 2531, "unit": "MB"}},
}
IDLE = {"gpu": 0, "process_list": [{"process_info": "No running processes detected"}]}


def busy(gpu: int, **values: Any) -> dict[str, Any]:
    return {"gpu": gpu, "process_list": [{"process_info": {"name": "python3", "pid": 28389, **values}}]}


def test_gpus_and_who_uses_them(amd_smi: Lists) -> None:
    listing = amd_smi(
        list=LIST,
        static=json.dumps({"gpu_data": NAMES}),
        metric="WARNING: User is missing the following required groups: render\n" + json.dumps([MEMORY]),
        process=json.dumps([IDLE, busy(1, mem_usage={"value": 2353860608, "unit": "B"})]),
    )
    assert (listing.problem, listing.warnings, listing.tool) == ("", [], "/amd-smi")
    first, second = listing.devices
    assert (first.number, first.identifier, first.name) == (0, "0", "AMD Instinct MI300X")
    assert first.uuid == "74ff74a1-0000-1000-80b7-000000000001"
    assert (first.memory_total, first.memory_used) == (196288 * MEBIBYTE, 2531 * MEBIBYTE)
    assert (second.memory_total, second.memory_used) == (None, None)
    assert (first.pids, second.pids) == (frozenset(), {28389})


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ({}, True),
        ({"mem_usage": {"value": 0, "unit": "B"}}, False),
        ({"mem": {"value": 6228000, "unit": "B"}}, True),
        ({"memory_usage": {"vram_mem": {"value": 48000, "unit": "B"}}}, True),
        ({"memory_usage": {"vram_mem": {"value": 0, "unit": "B"}}}, False),
        ({"mem_usage": "N/A"}, True),
        ({"pid": "28389", "mem_usage": 17}, True),
        ({"pid": "N/A"}, False),
    ],
)
def test_a_process_that_has_only_opened_a_gpu_does_not_use_it(
    amd_smi: Lists, values: dict[str, Any], counts: bool
) -> None:
    listing = amd_smi(list=LIST, process=json.dumps({"gpu_data": [busy(0, **values)]}))
    assert [bool(device.pids) for device in listing.devices] == [counts, False]


def test_a_driver_that_does_not_work(amd_smi: Lists) -> None:
    assert amd_smi(list=Answer("", "/amd-smi fails with exit code 1: no driver")) == Listing(
        problem="/amd-smi fails with exit code 1: no driver", tool="/amd-smi"
    )
    assert amd_smi(list="[]").problem == "/amd-smi names no GPU"
    listing = amd_smi(list=LIST, process=Answer("", "/amd-smi fails with exit code 2"))
    assert listing.warnings == ["the processes on GPUs cannot be listed: /amd-smi fails with exit code 2"]


def rocm_smi(patch: pytest.MonkeyPatch, cards: str, processes: str | Answer = "") -> Listing:
    given_processes = processes if isinstance(processes, Answer) else Answer(processes)
    patch.setattr(amd, "ask", lambda commands, deadline: [Answer(cards), given_processes])
    return amd.list_by_rocm_smi("/rocm-smi", Deadline(9))


CARDS = {
    "card1": {"Card series": "Radeon RX 7900 XTX", "Unique ID": "N/A"},
    "card0": {
        "Card Series": "Instinct MI210",
        "Unique ID": "0x1234567890abcdef",
        "VRAM Total Memory (B)": "68702699520",
        "VRAM Total Used Memory (B)": "27481079808",
    },
    "system": {"Driver version": "6.7.0"},
}
USERS = """

======================= ROCm System Management Interface =======================
============================== GPUs Indexed by PID =============================
PID 4242 is using 2 DRM device(s):
0 1
PID 4243 is using 0 DRM device(s):
PID 4244 is using 1 DRM device(s): 1
PID 4245 is using 1 DRM device(s):
nothing
================================================================================
"""


def test_the_older_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = rocm_smi(
        monkeypatch, "WARNING: AMD GPU device(s) is/are in a low-power state\n" + json.dumps(CARDS), USERS
    )
    assert (listing.problem, listing.warnings) == ("", [])
    first, second = listing.devices
    assert (first.number, first.name, first.uuid) == (0, "Instinct MI210", "GPU-1234567890abcdef")
    assert (first.memory_total, first.memory_used, first.pids) == (68702699520, 27481079808, {4242})
    assert (second.number, second.name, second.uuid) == (1, "Radeon RX 7900 XTX", "")
    assert second.pids == {4242, 4244}


def test_the_older_tool_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rocm_smi(monkeypatch, "ERROR:root:Driver not initialized").problem == "/rocm-smi names no GPU"
    listing = rocm_smi(monkeypatch, json.dumps(CARDS), Answer("", "/rocm-smi fails with exit code 2"))
    assert listing.warnings == ["the processes on GPUs cannot be listed: /rocm-smi fails with exit code 2"]


FIELDS = (
    "gpu gpu_data uuid asic market_name mem_usage total_vram value unit process_list process_info pid "
    "memory_usage vram_mem card0"
)
NAMES_OF_FIELDS = st.sampled_from([*FIELDS.split(), "Unique ID", "Card series"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["0", "1", "MB", "N/A", "0x1"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES_OF_FIELDS, inner, max_size=4),
    max_leaves=20,
)
OUTPUT = st.one_of(VALUES.map(json.dumps), st.text(), st.sampled_from(["[" * 5000, '{"a":' * 5000, LIST]))


@given(st.lists(OUTPUT, min_size=4, max_size=4))
def test_no_output_is_too_strange(outputs: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(amd, "ask", lambda commands, _: [Answer(it) for it in outputs[: len(commands)]])
        for list_by in (amd.list_by_amd_smi, amd.list_by_rocm_smi):
            listing = list_by("/tool", Deadline(9))
            assert bool(listing.devices) != bool(listing.problem)
