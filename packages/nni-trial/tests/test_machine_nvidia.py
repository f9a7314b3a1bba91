"""What nvidia-smi prints, on many machines, and what is understood of it."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni.machine import nvidia, nvidia_output
from nni.machine.devices import MEBIBYTE, Listing
from nni.machine.tools import Answer, Deadline, clean

A, B = "GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77", "GPU-e18afb8d-1627-f8ff-2ba3-c05c5a8e9e67"
ONE = f"0, {A}, NVIDIA H100 80GB HBM3, 81559, 4, Default, Disabled\n"
TWO = ONE + f"1, {B}, NVIDIA H100 80GB HBM3, 81559, 60123, Default, Disabled\n"
ME = os.getpid()
Asked = dict[str, "str | Answer"]
List = Callable[..., Listing]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> List:
    """Lists GPUs of a driver whose tool answers so, by the beginning of its options."""

    def listed(**given_answers: str | Answer) -> Listing:
        known: Asked = {"gpu": "", "apps": "", "L": "", "q": "", **given_answers}
        keys = {"--query-gpu": "gpu", "--query-compute-apps": "apps", "-L": "L", "-q": "q"}

        def ask(commands: Sequence[Sequence[str]], deadline: Deadline) -> list[Answer]:
            found = []
            for command in commands:
                answer = known[keys[command[1].partition("=")[0]]]
                found.append(Answer(answer) if isinstance(answer, str) else answer)
            return found

        monkeypatch.setattr(nvidia, "ask", ask)
        return nvidia.list_nvidia("/smi", Deadline(9))

    return listed


def failed(output: str, code: int) -> Answer:
    return Answer(output, f"/smi fails with exit code {code}: {' '.join(output.split())}")


def test_gpus_and_who_uses_them(answers: List) -> None:
    listing = answers(gpu=TWO, apps=f"{B}, {ME}\n{B}, 1\n")
    assert (listing.problem, listing.warnings, listing.tool) == ("", [], "/smi")
    first, second = listing.devices
    assert (first.number, first.identifier, first.uuid, first.name) == (0, "0", A, "NVIDIA H100 80GB HBM3")
    assert (second.memory_total, second.memory_used) == (81559 * MEBIBYTE, 60123 * MEBIBYTE)
    assert (first.pids, second.pids) == (frozenset(), {ME, 1})
    assert (first.problem, second.problem) == ("", "")


@pytest.mark.parametrize("processes", ["", "No running processes found\n", "\n", "pid\n", "[N/A], [N/A]\n"])
def test_no_process_runs(answers: List, processes: str) -> None:
    assert [device.pids for device in answers(gpu=TWO, apps=processes).devices] == [frozenset()] * 2


@pytest.mark.parametrize(
    "noise",
    [
        "WARNING: infoROM is corrupted at gpu 0000:3B:00.0\n",
        "\x1b[33mwarning:\x1b[0m persistence mode is off, which slows this down\n",
        "Warning: persistence mode is disabled on device 00000000:00:04.0. See the Known Issues section.\n",
        "==============NVSMI LOG==============\n\n",
        "index, uuid, name, memory.total [MiB], memory.used [MiB], compute_mode, mig.mode.current\n",
        'a "quote that never ends\n',
        "\ufeff",
        "\r\n",
    ],
)
def test_noise_around_tables(answers: List, noise: str) -> None:
    """Row 165."""
    listing = answers(gpu=clean((noise + TWO + noise).encode()), apps=clean((noise + f"{A}, 1\n").encode()))
    assert [device.number for device in listing.devices] == [0, 1]
    assert [device.pids for device in listing.devices] == [{1}, frozenset()]


def test_values_that_are_not_told(answers: List) -> None:
    """Row 165."""
    listing = answers(
        gpu=f"0, {A}, [Insufficient Permissions], [Insufficient Permissions], [N/A], [N/A], [N/A]\n"
        "1, [N/A], Tesla K80, [Not Supported], Unknown, [Unknown Error], ERR!\n"
    )
    assert [(it.uuid, it.name, it.memory_total, it.memory_used) for it in listing.devices] == [
        (A, "", None, None),
        ("", "Tesla K80", None, None),
    ]
    assert [device.problem for device in listing.devices] == ["", ""]


def test_a_newer_driver_that_adds_columns(answers: List) -> None:
    listing = answers(gpu=f"0, {A}, X, 10, 5, Default, Disabled, more, and more\n")
    assert [(it.name, it.memory_used) for it in listing.devices] == [("X", 5 * MEBIBYTE)]


def test_an_older_driver_is_asked_without_what_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def ask(commands: Sequence[Sequence[str]], deadline: Deadline) -> list[Answer]:
        asked.append([command[1] for command in commands])
        for unknown in ("mig.mode.current", "compute_mode"):
            if unknown in commands[0][1]:
                return [
                    failed(f'Field "{unknown}" is not a valid field to query.\n\n', 2),
                    Answer(f"{A}, 1\n"),
                ]
        return [Answer(f"0, {A}, Tesla K40m, 11441, 0\n")]

    monkeypatch.setattr(nvidia, "ask", ask)
    (device,) = nvidia.list_nvidia("/smi", Deadline(9)).devices
    assert (device.name, device.pids, device.problem) == ("Tesla K40m", {1}, "")
    assert len(asked) == 3
    assert asked[2] == ["--query-gpu=index,uuid,name,memory.total,memory.used"]


@pytest.mark.parametrize(
    ("output", "code"),
    [
        (
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that "
            "the latest NVIDIA driver is installed and running.\n\n",
            9,
        ),
        ("Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.183\n", 18),
        ("Failed to initialize NVML: Unknown Error\n", 255),
        ("Failed to initialize NVML: Insufficient Permissions\n", 4),
        ("Unable to determine the device handle for GPU 0000:0A:00.0: GPU is lost.  Reboot the system", 15),
        ("No devices were found\n", 6),
        ("", 127),
    ],
)
def test_a_driver_that_does_not_work(answers: List, output: str, code: int) -> None:
    listing = answers(gpu=failed(output, code), apps=failed(output, code), L=failed(output, code))
    assert listing.devices == []
    assert listing.problem.startswith(f"/smi fails with exit code {code}")
    assert " ".join(output.split()) in listing.problem


@pytest.mark.parametrize("output", ["No devices were found\n", "", "0\n", "<html>", "1, 2\n", "GPU 0\n"])
def test_a_tool_that_names_no_gpu(answers: List, output: str) -> None:
    listing = answers(gpu=output, apps=output, L=output)
    assert listing.devices == []
    assert listing.problem == f"/smi names no GPU: {output.strip() or 'it prints nothing'}"


def test_the_plain_list_does_where_tables_fail(answers: List) -> None:
    listing = answers(
        gpu=failed("unknown option", 2),
        apps=failed("unknown option", 2),
        L=f"GPU 0: GeForce GTX 1660 Ti (UUID: {A})\nGPU 1: Tesla M2075 (UUID: {B}\n",
    )
    assert [(it.number, it.uuid, it.name) for it in listing.devices] == [
        (0, A, "GeForce GTX 1660 Ti"),
        (1, B, "Tesla M2075"),
    ]
    assert listing.warnings == [
        "GPUs may be missing: /smi fails with exit code 2: unknown option",
        "the processes on GPUs cannot be listed: /smi fails with exit code 2: unknown option",
    ]


def test_one_of_the_gpus_is_broken(answers: List) -> None:
    listing = answers(
        gpu=failed(
            ONE
            + f"1, {B}, [GPU is lost], [GPU is lost], [GPU is lost], [GPU is lost], [GPU is lost]\n"
            + "2, [Unknown Error], [Unknown Error], [Unknown Error], [Unknown Error], Default, [N/A]\n"
            + "3, GPU-3, X, 10, [GPU requires reset], Default, Disabled\n"
            + "4, GPU-4, X, 10, 5, Prohibited, Disabled\n",
            15,
        )
    )
    assert [device.problem for device in listing.devices] == [
        "",
        "the driver says 'GPU is lost' of it",
        "the driver says 'Unknown Error' of it",
        "the driver says 'GPU requires reset' of it",
        "its compute mode is Prohibited",
    ]
    assert listing.warnings[0].startswith("GPUs may be missing: /smi fails with exit code 15")


def test_a_process_that_has_ended_meanwhile_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a GPU would look used until it is listed again."""
    lists = iter([f"{A}, 999999991\n{A}, 999999992\n{A}, 1\n", f"{A}, 999999992\n"])

    def ask(commands: Sequence[Sequence[str]], deadline: Deadline) -> list[Answer]:
        return [Answer(ONE if "gpu=" in command[1] else next(lists)) for command in commands]

    monkeypatch.setattr(nvidia, "ask", ask)
    (device,) = nvidia.list_nvidia("/smi", Deadline(9)).devices
    # The second is listed still: it is a process of another namespace, which cannot be seen from here.
    assert device.pids == {1, 999999992}


def test_processes_of_a_gpu_that_is_not_named_may_be_on_each(answers: List) -> None:
    assert [it.pids for it in answers(gpu=TWO, apps=f"[N/A], {ME}\n").devices] == [{ME}, {ME}]
    assert [it.pids for it in answers(gpu=TWO, apps=f"GPU-other, {ME}\n").devices] == [frozenset()] * 2
    unnamed = ONE + "1, [N/A], X, 1, 1, Default, Disabled\n"
    assert [it.pids for it in answers(gpu=unnamed, apps=f"{A}, 1\n{B}, {ME}\n").devices] == [{1, ME}, {ME}]


M0, M1, M2 = (f"MIG-{number}a25704b-3a06-5299-a795-fd7cf4d1397{number}" for number in range(3))
MIG = (
    f"0, {A}, NVIDIA A100-SXM4-80GB, 81920, 39, Default, Enabled\n"
    f"1, {B}, NVIDIA A100-SXM4-80GB, 81920, 39, Default, Enabled\n"
    "2, GPU-2, NVIDIA A100-SXM4-80GB, 81920, 39, Default, Disabled\n"
)
MIG_LIST = f"""\
GPU 0: NVIDIA A100-SXM4-80GB (UUID: {A})
  MIG 1g.10gb     Device  0: (UUID: {M0})
  MIG 1g.10gb+me  Device  1: (UUID: {M1})
  MIG 1c.2g.20gb  Device  2: (UUID: {M2})
GPU 1: NVIDIA A100-SXM4-80GB (UUID: {B})
GPU 2: NVIDIA A100-SXM4-80GB (UUID: GPU-2)
"""
MIG_LOG = textwrap.dedent(f"""\
    <?xml version="1.0" ?>
    <!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
    <nvidia_smi_log>
      <driver_version>535.216.01</driver_version>
      <gpu id="00000000:31:00.0">
        <uuid>{A}</uuid>
        <mig_devices>
          <mig_device><index>0</index><gpu_instance_id>9</gpu_instance_id>
            <compute_instance_id>0</compute_instance_id>
            <fb_memory_usage><total>9728 MiB</total><used>6 MiB</used></fb_memory_usage></mig_device>
          <mig_device><index>1</index><gpu_instance_id>10</gpu_instance_id>
            <compute_instance_id>0</compute_instance_id></mig_device>
        </mig_devices>
        <processes>
          <process_info><gpu_instance_id>10</gpu_instance_id><compute_instance_id>0</compute_instance_id>
            <pid>1</pid><type>C</type><process_name>python</process_name></process_info>
          <process_info><gpu_instance_id>9</gpu_instance_id><compute_instance_id>0</compute_instance_id>
            <pid>77</pid><type>G</type></process_info>
        </processes>
      </gpu>
    </nvidia_smi_log>
""")


def test_instances_of_a_gpu_in_mig_mode(answers: List) -> None:
    """Row 165."""
    listing = answers(gpu=MIG, apps=f"{A}, 1\n", L=MIG_LIST, q=MIG_LOG)
    assert [(it.number, it.identifier, it.problem) for it in listing.devices] == [
        (0, M0, ""),
        (0, M1, ""),
        (0, M2, ""),
        (1, "1", "MIG mode without instances"),
        (2, "2", ""),
    ]
    first, second, third, *_ = listing.devices
    assert (first.name, first.memory_total, first.memory_used) == (
        "NVIDIA A100-SXM4-80GB MIG 1g.10gb",
        9728 * MEBIBYTE,
        6 * MEBIBYTE,
    )
    assert (second.name, third.name) == (
        "NVIDIA A100-SXM4-80GB MIG 1g.10gb+me",
        "NVIDIA A100-SXM4-80GB MIG 1c.2g.20gb",
    )
    assert (first.pids, second.pids) == (frozenset(), {1})
    assert third.pids == {1}, "not told of this one, so it may be there"
    assert listing.warnings == []


@pytest.mark.parametrize("log", ["", "<nvidia_smi_log><gpu>", MIG_LOG[:900], failed("no", 3)])
def test_mig_where_processes_are_not_told_by_instance(answers: List, log: str | Answer) -> None:
    listing = answers(gpu=MIG, apps=f"{A}, 1\n", L=MIG_LIST, q=log)
    assert [it.pids for it in listing.devices[:3]] == [{1}] * 3
    (warning,) = listing.warnings
    assert warning.startswith("which processes use which MIG instance is not known: ")


def test_mig_where_instances_are_not_told(answers: List) -> None:
    listing = answers(gpu=MIG, L=failed("Insufficient Permissions", 4))
    assert [it.problem for it in listing.devices] == [
        "/smi fails with exit code 4: Insufficient Permissions",
        "/smi fails with exit code 4: Insufficient Permissions",
        "",
    ]


def test_the_uuid_of_instances_in_older_drivers() -> None:
    text = f"GPU 0: A100 (UUID: {A})\n  MIG 1g.5gb Device 0: (UUID: MIG-{A}/1/0)\n"
    assert nvidia_output.listed(text)[1] == [nvidia_output.Instance(0, 0, "1g.5gb", f"MIG-{A}/1/0")]


PIECES = st.sampled_from(
    [*TWO.split(", "), *MIG_LIST.splitlines(), *MIG_LOG.splitlines(), *MIG.splitlines(), "Enabled", "0, "]
)
JUNK = st.one_of(
    st.text(),
    st.binary().map(clean),
    st.lists(PIECES | st.text(max_size=5), max_size=20).map("".join),
    st.lists(PIECES, max_size=20).map("\n".join),
    st.lists(PIECES, max_size=20).map(", ".join),
)


@given(JUNK)
def test_no_output_is_too_strange(junk: str) -> None:
    rows = nvidia_output.gpu_rows(junk, ["index", "uuid", "name", "memory.total"])
    assert all(nvidia_output.device_of(row).number >= 0 for row in rows)
    devices, instances = nvidia_output.listed(junk)
    numbers = {device.number for device in devices}
    assert {instance.gpu for instance in instances} <= numbers
    assert all(pid >= 0 for _, pid in nvidia_output.process_rows(junk))
    nvidia_output.partitions(junk)
    nvidia_output.unknown_field(junk)


@given(st.dictionaries(st.sampled_from(["gpu", "apps", "L", "q"]), JUNK), st.booleans())
def test_no_driver_is_too_strange(known: dict[str, str], is_mig: bool) -> None:
    def ask(commands: Sequence[Sequence[str]], deadline: Deadline) -> list[Answer]:
        keys = {"--query-gpu": "gpu", "--query-compute-apps": "apps", "-L": "L", "-q": "q"}
        return [Answer(known.get(keys[it[1].partition("=")[0]], MIG if is_mig else "")) for it in commands]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nvidia, "ask", ask)
        listing = nvidia.list_nvidia("/smi", Deadline(9))
    assert bool(listing.devices) != bool(listing.problem)
