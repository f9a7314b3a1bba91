"""What an inherited CUDA_VISIBLE_DEVICES leaves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni.machine.devices import Device
from nni.machine.visible import HIDDEN, visible_devices

UUIDS = ["GPU-aa11", "GPU-aa22", "GPU-bb33", "GPU-bb3344"]
FOUR = [Device(number, str(number), uuid) for number, uuid in enumerate(UUIDS)]


def left(text: str | None, devices: list[Device] = FOUR) -> dict[int, str]:
    """Returns the identifiers of the GPUs that are left, by their numbers."""
    found = visible_devices(devices, text)
    assert [device.number for device in found] == [device.number for device in devices]
    return {device.number: device.identifier for device in found if not device.problem}


ALL = {0: "0", 1: "1", 2: "2", 3: "3"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ALL),
        ("0,1,2,3", ALL),
        ("2,1", {1: "1", 2: "2"}),
        ("3", {3: "3"}),
        (" 3 , 1 ", {3: "3", 1: "1"}),
        ("+1", {1: "1"}),
        ("01", {1: "1"}),
        ("1gpu,2nd", {1: "1", 2: "2"}),
        ("", {}),
        ("  ", {}),
        ("-1", {}),
        ("0,-1,2", {0: "0"}),
        ("0,,2", {0: "0"}),
        ("0,4,2", {0: "0"}),
        ("9", {}),
        ("NoDevFiles", {}),
        ("none", {}),
        ("0;1", {0: "0"}),
        ("0,1,0", {}),
        ("99999999999999999999", {}),
        ("GPU-aa1", {0: "GPU-aa1"}),
        ("GPU-bb3344,GPU-aa22", {3: "GPU-bb3344", 1: "GPU-aa22"}),
        ("GPU-bb33", {2: "GPU-bb33"}),
        ("GPU-aa22,GPU-aa", {1: "GPU-aa22"}),
        ("GPU-aa22,GPU-cc,GPU-aa11", {1: "GPU-aa22"}),
        ("GPU-aa22,GPU-aa2", {}),
        ("GPU-aa22,0", {1: "GPU-aa22"}),
        ("0,GPU-aa22", {0: "0"}),
        ("GPU-", {}),
        ("GPU-AA1", {0: "GPU-AA1"}),
        ("GPU-aa112,GPU-aa22", {0: "GPU-aa112", 1: "GPU-aa22"}),
        ("GPU-aa3", {}),
        ("gpu-aa11", {}),
    ],
)
def test_cuda_reads_it_so(text: str | None, expected: dict[int, str]) -> None:
    assert left(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1", HIDDEN),
        ("", HIDDEN),
        ("-1", HIDDEN),
        ("1,x,0", "not in CUDA_VISIBLE_DEVICES, which is not valid from 'x' on"),
        ("1,1", "CUDA_VISIBLE_DEVICES names '1' twice, so CUDA sees no GPU"),
    ],
)
def test_why_a_gpu_is_hidden(text: str, problem: str) -> None:
    assert visible_devices(FOUR, text)[0].problem == problem


def test_a_gpu_that_is_broken_stays_so() -> None:
    broken = [FOUR[0]._replace(problem="lost"), FOUR[1]]
    assert [it.problem for it in visible_devices(broken, "0,1")] == ["lost", ""]
    assert [it.problem for it in visible_devices(broken, "1")] == ["lost", ""]


def test_of_a_gpu_in_mig_mode_a_number_means_the_first_instance() -> None:
    devices = [Device(0, "MIG-a", "MIG-a"), Device(0, "MIG-b", "MIG-b"), Device(1, "1", "GPU-1")]
    assert [it.identifier for it in visible_devices(devices, "0,1") if not it.problem] == ["0", "1"]
    assert [it.problem for it in visible_devices(devices, "0,1")] == ["", HIDDEN, ""]
    assert [it.identifier for it in visible_devices(devices, "MIG-b") if not it.problem] == ["MIG-b"]
    assert [it.identifier for it in visible_devices(devices, "GPU-1,MIG-b") if not it.problem] == ["GPU-1"]


def test_numbers_of_what_rocm_leaves() -> None:
    found = visible_devices(FOUR, "3,1", "ROCR_VISIBLE_DEVICES", renumber=True)
    assert [(it.number, it.identifier) for it in found if not it.problem] == [(1, "1"), (3, "0")]
    assert found[0].problem == "not in ROCR_VISIBLE_DEVICES"


ENTRY = st.sampled_from([*UUIDS, "GPU-aa", "GPU-", "MIG-", "0", "1", "9", "-1", "", " "]) | st.text(
    max_size=6
)


@given(st.lists(ENTRY, max_size=6).map(",".join))
def test_what_is_left_can_be_named_again(text: str) -> None:
    """Joining what names the GPUs that are left, as is done for trials, leaves just these."""
    found = [device for device in visible_devices(FOUR, text) if not device.problem]
    again = ",".join(device.identifier for device in found)
    assert [it.number for it in visible_devices(FOUR, again) if not it.problem] == [it.number for it in found]
