"""Reads what nvidia-smi prints: tables with warnings around, old and new drivers, broken GPUs, MIG.

Nothing here raises, whatever the text is; what cannot be read is left out.
"""

from __future__ import annotations

import csv
import re
from typing import Dict, FrozenSet, Iterator, List, NamedTuple, Optional, Sequence, Tuple
from xml.etree import ElementTree

from nni.machine.devices import Device, mebibytes

_GPU_LINE = re.compile(r"^GPU (\d{1,6}): (.*?) ?\(UUID: ([^\s()]+)\)?\s*$")
_INSTANCE_LINE = re.compile(r"^\s+MIG (\S+)\s+Device\s+(\d{1,6}): \(UUID: (MIG-[^\s()]+)\)?\s*$")
_UNKNOWN_FIELD = re.compile(r'Field "([^"]+)" is not a valid field')
_LOST = re.compile(r"lost|reset|unknown error|fallen off", re.IGNORECASE)


class Instance(NamedTuple):
    """A part of a GPU in MIG mode.

    Attributes:
        gpu: The number of its GPU.
        number: Its number on its GPU.
        profile: Its size: "1g.10gb".
        uuid: What CUDA_VISIBLE_DEVICES names it by.
    """

    gpu: int
    number: int
    profile: str
    uuid: str


class Partition(NamedTuple):
    """What nvidia-smi -q -x says of an instance: its memory in bytes (total, used), and its processes."""

    memory: Tuple[Optional[int], Optional[int]]
    pids: FrozenSet[int]


def unknown_field(output: str) -> str:
    """Returns the column that the driver does not know, "" if that is not what it said."""
    found = _UNKNOWN_FIELD.search(output)
    return found.group(1) if found else ""


def gpu_rows(output: str, columns: Sequence[str]) -> List[Dict[str, str]]:
    """Returns the rows of --query-gpu, by column; lines that are none are passed over.

    Args:
        output: What was printed, with --format=csv,noheader,nounits.
        columns: The columns asked for, "index" the first; a row may have more.
    """
    rows: Dict[str, Dict[str, str]] = {}
    for fields in _rows(output):
        if len(fields) >= len(columns) and _is_number(fields[0]):
            row = {column: fields[place] for place, column in enumerate(columns)}
            rows.setdefault(str(int(fields[0])), row)
    return list(rows.values())


def device_of(row: Dict[str, str]) -> Device:
    """Returns the GPU that a row of --query-gpu tells of."""
    uuid, name = known(row.get("uuid", "")), known(row.get("name", ""))
    values = [row.get(column, "") for column in ("uuid", "name", "memory.total", "memory.used")]
    broken = [value for value in values if value.startswith("[") and _LOST.search(value)]
    problem = ""
    if broken:
        problem = f"the driver says {broken[0].strip('[]')!r} of it"
    elif row.get("compute_mode", "").lower() == "prohibited":
        problem = "its compute mode is Prohibited"
    number = int(row["index"])
    memory = mebibytes(row.get("memory.total", "")), mebibytes(row.get("memory.used", ""))
    return Device(number, str(number), uuid, name, memory[0], memory[1], problem)


def listed(output: str) -> Tuple[List[Device], List[Instance]]:
    """Returns the GPUs and the instances of those in MIG mode, from nvidia-smi -L."""
    devices: Dict[int, Device] = {}
    instances: List[Instance] = []
    index = -1
    for line in output.splitlines():
        gpu, instance = _GPU_LINE.match(line), _INSTANCE_LINE.match(line)
        if gpu:
            index = int(gpu.group(1))
            devices.setdefault(index, Device(index, str(index), gpu.group(3), gpu.group(2).strip()))
        elif instance and index >= 0:
            instances.append(Instance(index, int(instance.group(2)), instance.group(1), instance.group(3)))
    return list(devices.values()), instances


def process_rows(output: str) -> List[Tuple[str, int]]:
    """Returns the UUID of a GPU, "" where that is not told, with the id of each process on it.

    Args:
        output: What --query-compute-apps=gpu_uuid,pid printed.
    """
    return [
        (known(fields[0]), int(fields[1]))
        for fields in _rows(output)
        if len(fields) >= 2 and _is_number(fields[1])
    ]


def partitions(output: str) -> Dict[Tuple[str, int], Partition]:
    """Returns what nvidia-smi -q -x says of instances, by the UUID of the GPU and the instance's number."""
    found: Dict[Tuple[str, int], Partition] = {}
    start = output.find("<nvidia_smi_log")
    if start < 0 or "<!ENTITY" in output:
        return found
    try:
        log = ElementTree.fromstring(output[start : output.rfind(">") + 1])
    except (ElementTree.ParseError, ValueError):
        return found
    for gpu in log.iter("gpu"):
        uuid = _text(gpu, "uuid")
        pids: Dict[Tuple[str, str], List[int]] = {}
        for process in gpu.iter("process_info"):
            if _is_number(_text(process, "pid")) and "C" in _text(process, "type"):
                pids.setdefault(_place(process), []).append(int(_text(process, "pid")))
        for device in gpu.iter("mig_device"):
            if _is_number(_text(device, "index")):
                memory = [mebibytes(_text(device, f"fb_memory_usage/{name}")) for name in ("total", "used")]
                found[uuid, int(_text(device, "index"))] = Partition(
                    (memory[0], memory[1]), frozenset(pids.get(_place(device), ()))
                )
    return found


def known(text: str) -> str:
    """Returns a value, "" for those that stand for none: [N/A], [Insufficient Permissions] and the like."""
    return "" if text.startswith("[") or text in ("N/A", "Unknown", "ERR!") else text


def _rows(output: str) -> Iterator[List[str]]:
    for line in output.splitlines():
        try:
            for fields in csv.reader([line], skipinitialspace=True):
                yield [field.strip() for field in fields]
        except csv.Error:
            continue


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _text(element: ElementTree.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _place(element: ElementTree.Element) -> Tuple[str, str]:
    return _text(element, "gpu_instance_id"), _text(element, "compute_instance_id")
