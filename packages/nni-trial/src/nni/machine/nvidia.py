"""Lists NVIDIA's GPUs, by nvidia-smi."""

from __future__ import annotations

import os
from typing import Dict, FrozenSet, List, Optional, Set, Tuple

from nni.machine import nvidia_output, users
from nni.machine.devices import Device, Listing
from nni.machine.tools import Answer, Deadline, ask

TOOL = "nvidia-smi"

_COLUMNS = ["index", "uuid", "name", "memory.total", "memory.used", "compute_mode", "mig.mode.current"]
_FORMAT = "--format=csv,noheader,nounits"
_PROCESSES = ["--query-compute-apps=gpu_uuid,pid", _FORMAT]
_LOADED = "/proc/driver/nvidia/gpus"

Processes = List[Tuple[str, int]]


def list_nvidia(path: str, deadline: Deadline) -> Listing:
    """Returns the GPUs that an nvidia-smi tells of, and the processes that compute on them.

    Args:
        path: Where it is.
        deadline: When to give up.
    """
    rows, gpus, processes = _ask_both(path, deadline)
    devices = [nvidia_output.device_of(row) for row in rows]
    if not devices and not gpus.hung:
        listing = ask([[path, "-L"]], deadline)[0]
        devices = nvidia_output.listed(listing.output)[0]
    if not devices:
        said = " ".join(gpus.output.split())[:300] or "it prints nothing"
        return Listing(problem=gpus.problem or f"{path} names no GPU: {said}", tool=path)
    warnings = [f"GPUs may be missing: {gpus.problem}"] if gpus.problem else []
    if processes.problem:
        warnings.append(f"the processes on GPUs cannot be listed: {processes.problem}")
    found = _with_processes(devices, _living(path, nvidia_output.process_rows(processes.output), deadline))
    partitioned = {int(row["index"]) for row in rows if row.get("mig.mode.current") == "Enabled"}
    if partitioned:
        found, problem = _with_instances(path, found, partitioned, deadline)
        warnings += [problem] if problem else []
    return Listing(found, "", warnings, path)


def driver_without_tool() -> str:
    """Returns what to say when nvidia-smi is missing though its driver is loaded, "" when it is not."""
    try:
        count = len(os.listdir(_LOADED))
    except OSError:
        return ""
    return f"NVIDIA's driver is loaded and has {count} GPUs in {_LOADED}" if count else ""


def _ask_both(path: str, deadline: Deadline) -> Tuple[List[Dict[str, str]], Answer, Answer]:
    """Asks for GPUs and processes at once: a driver that is not kept loaded takes its time for each."""
    columns = list(_COLUMNS)
    processes: Optional[Answer] = None
    while True:
        commands = [[path, f"--query-gpu={','.join(columns)}", _FORMAT]]
        commands += [] if processes else [[path, *_PROCESSES]]
        answers = ask(commands, deadline)
        processes = processes or answers[1]
        rows = nvidia_output.gpu_rows(answers[0].output, columns)
        unknown = nvidia_output.unknown_field(answers[0].output)
        if rows or unknown not in columns[1:]:
            return rows, answers[0], processes
        columns.remove(unknown)  # the driver is older


def _living(path: str, processes: Processes, deadline: Deadline) -> Processes:
    """Returns processes without those that have ended since.

    One that is not there may have just ended, or be of another namespace: then it is listed again.
    """
    gone = {pid for _, pid in processes if users.is_gone(pid)}
    if not gone:
        return processes
    again = ask([[path, *_PROCESSES]], deadline)[0]
    still = {pid for _, pid in nvidia_output.process_rows(again.output)}
    return [(uuid, pid) for uuid, pid in processes if pid not in gone or again.problem or pid in still]


def _with_processes(devices: List[Device], processes: Processes) -> List[Device]:
    """Returns devices with their processes; those of an unknown GPU count for each that may be it."""
    uuids = {device.uuid for device in devices if device.uuid}
    by_uuid: Dict[str, Set[int]] = {}
    for uuid, pid in processes:
        by_uuid.setdefault(uuid if uuid in uuids else "", set()).add(pid)
    elsewhere = by_uuid.pop("", set())
    everywhere = elsewhere if len(uuids) < len(devices) or any(not uuid for uuid, _ in processes) else set()
    found = []
    for device in devices:
        pids = by_uuid.get(device.uuid, set())
        found.append(device._replace(pids=frozenset(pids | everywhere)))
    return found


def _with_instances(
    path: str, devices: List[Device], partitioned: Set[int], deadline: Deadline
) -> Tuple[List[Device], str]:
    """Returns devices with the instances of GPUs in MIG mode in their places, and what went wrong."""
    listing, log = ask([[path, "-L"], [path, "-q", "-x"]], deadline)
    instances = nvidia_output.listed(listing.output)[1]
    partitions = nvidia_output.partitions(log.output)
    found: List[Device] = []
    for device in devices:
        own = [instance for instance in instances if instance.gpu == device.number]
        if device.number not in partitioned:
            found.append(device)
        elif not own:
            problem = listing.problem or "MIG mode without instances"
            found.append(device._replace(problem=device.problem or problem))
        for instance in own if device.number in partitioned else ():
            found.append(_instance(device, instance, partitions.get((device.uuid, instance.number))))
    if instances and not partitions:
        why = log.problem or "nvidia-smi -q -x cannot be understood"
        return found, f"which processes use which MIG instance is not known: {why}"
    return found, ""


def _instance(
    device: Device, instance: nvidia_output.Instance, partition: Optional[nvidia_output.Partition]
) -> Device:
    pids: FrozenSet[int] = device.pids if partition is None else partition.pids
    total, used = (None, None) if partition is None else partition.memory
    return device._replace(
        identifier=instance.uuid,
        uuid=instance.uuid,
        name=f"{device.name} MIG {instance.profile}",
        memory_total=total,
        memory_used=used,
        pids=pids,
    )
