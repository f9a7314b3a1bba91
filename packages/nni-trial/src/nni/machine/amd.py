"""Lists AMD's GPUs, by amd-smi, or by the older rocm-smi."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, FrozenSet, Iterator, Set

from nni.machine.devices import MEBIBYTE, Device, Listing, whole_number
from nni.machine.tools import Deadline, ask

TOOLS = ("amd-smi", "rocm-smi")

_UNITS = {"B": 1, "KB": 1 << 10, "MB": MEBIBYTE, "GB": 1 << 30}
_CARD = re.compile(r"^(?:card|GPU\[)(\d{1,6})\]?$")
_PID = re.compile(r"^PID (\d{1,9}) is using \d+ DRM device")


def list_by_amd_smi(path: str, deadline: Deadline) -> Listing:
    """Returns the GPUs that an amd-smi tells of.

    Args:
        path: Where it is.
        deadline: When to give up.
    """
    names = (["list"], ["static", "--asic"], ["metric", "--mem-usage"], ["process"])
    answers = ask([[path, *words, "--json"] for words in names], deadline)
    listing, static, metric, process = answers
    found: Dict[int, Device] = {}
    for index, row in _by_gpu(listing.output):
        uuid = row.get("uuid")
        found.setdefault(index, Device(index, str(index), uuid if isinstance(uuid, str) else ""))
    for index, row in _by_gpu(static.output):
        name = _inner(row, "asic", "market_name")
        if index in found and isinstance(name, str):
            found[index] = found[index]._replace(name=name)
    for index, row in _by_gpu(metric.output):
        if index in found:
            total, used = (_bytes(_inner(row, "mem_usage", f"{what}_vram")) for what in ("total", "used"))
            found[index] = found[index]._replace(memory_total=total, memory_used=used)
    for index, row in _by_gpu(process.output):
        if index in found:
            found[index] = found[index]._replace(pids=_pids(row.get("process_list")))
    if not found:
        return Listing(problem=listing.problem or f"{path} names no GPU", tool=path)
    problem = process.problem and f"the processes on GPUs cannot be listed: {process.problem}"
    return Listing(list(found.values()), "", [problem] if problem else [], path)


def list_by_rocm_smi(path: str, deadline: Deadline) -> Listing:
    """Returns the GPUs that a rocm-smi tells of.

    Args:
        path: Where it is.
        deadline: When to give up.
    """
    asking = [path, "--showuniqueid", "--showproductname", "--showmeminfo", "vram", "--json"]
    cards, processes = ask([asking, [path, "--showpidgpus"]], deadline)
    pids = _pids_by_index(processes.output)
    found: Dict[int, Device] = {}
    content = _json(cards.output)
    for key, row in content.items() if isinstance(content, dict) else ():
        card = _CARD.match(key)
        if card and isinstance(row, dict):
            index = int(card.group(1))
            values = {str(name).lower(): value for name, value in row.items()}
            name, uuid = values.get("card series"), values.get("unique id")
            total = whole_number(values.get("vram total memory (b)"))
            used = whole_number(values.get("vram total used memory (b)"))
            found[index] = Device(
                index,
                str(index),
                f"GPU-{uuid[2:]}" if isinstance(uuid, str) and uuid.startswith("0x") else "",
                name if isinstance(name, str) else "",
                total,
                used,
                pids=frozenset(pids.get(index, ())),
            )
    if not found:
        return Listing(problem=cards.problem or f"{path} names no GPU", tool=path)
    problem = processes.problem and f"the processes on GPUs cannot be listed: {processes.problem}"
    return Listing([found[index] for index in sorted(found)], "", [problem] if problem else [], path)


def _json(output: str) -> Any:
    """Returns the JSON in what was printed, which may stand behind warnings; None if there is none."""
    for start in sorted({output.find("["), output.find("{")} - {-1}):
        try:
            return json.JSONDecoder().raw_decode(output, start)[0]
        except (ValueError, RecursionError):
            continue
    return None


def _by_gpu(output: str) -> Iterator[Any]:
    """Yields the number of each GPU with its object, in both forms that amd-smi has had."""
    content = _json(output)
    rows = content.get("gpu_data") if isinstance(content, dict) else content
    for row in rows if isinstance(rows, list) else ():
        index = whole_number(row.get("gpu")) if isinstance(row, dict) else None
        if index is not None:
            yield index, row


def _inner(row: Dict[str, Any], *names: str) -> Any:
    value: Any = row
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _bytes(value: Any) -> Any:
    """Returns the bytes of a number with a unit, or of one without, which means MB."""
    unit = value.get("unit", "MB") if isinstance(value, dict) else "MB"
    number = whole_number(value.get("value") if isinstance(value, dict) else value)
    factor = _UNITS.get(unit) if isinstance(unit, str) else None
    return None if number is None or factor is None else number * factor


def _pids(rows: Any) -> FrozenSet[int]:
    """Returns the processes of a GPU. One without memory there has only opened it, as ROCm does with all."""
    found = set()
    for row in rows if isinstance(rows, list) else ():
        process = row.get("process_info", row) if isinstance(row, dict) else None
        if not isinstance(process, dict):
            continue  # "No running processes detected"
        pid = whole_number(process.get("pid"))
        memory = [process.get("mem_usage"), process.get("mem"), _inner(process, "memory_usage", "vram_mem")]
        sizes = [size for size in (_bytes(value) for value in memory) if size is not None]
        if pid and (not sizes or max(sizes) > 0):
            found.add(pid)
    return frozenset(found)


def _pids_by_index(output: str) -> Dict[int, Set[int]]:
    """Returns the processes of each GPU, from rocm-smi --showpidgpus."""
    found: Dict[int, Set[int]] = {}
    pid = 0
    for line in output.splitlines():
        words = line.split()
        match = _PID.match(line.strip())
        if match:
            pid = int(match.group(1))
            words = line.partition(":")[2].split()
        if pid and words and all(word.isascii() and word.isdigit() and len(word) < 7 for word in words):
            for word in words:
                found.setdefault(int(word), set()).add(pid)
            pid = 0
    return found
