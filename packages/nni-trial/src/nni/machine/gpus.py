"""Lists the GPUs of this machine, with what is to name them and who uses them."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from nni.machine import amd, nvidia, users, visible
from nni.machine.devices import Device, Listing
from nni.machine.tools import PLACES, Deadline, find_tool

LISTING_SECONDS = 14.0
"""How long all tools together may take."""

MISSING = "there is no nvidia-smi, amd-smi or rocm-smi"
"""The problem of a machine where nothing speaks for GPUs."""

_LISTS = {
    nvidia.TOOL: nvidia.list_nvidia,
    "amd-smi": amd.list_by_amd_smi,
    "rocm-smi": amd.list_by_rocm_smi,
}


class Gpus(NamedTuple):
    """The GPUs of this machine.

    Attributes:
        gpus: One dict for each: index, identifier, name, uuid, used_by_others, memory_total and memory_used
            in bytes or None, problem.
        problem: Why they could not be listed, "" if they could.
        warnings: What could not be found out besides.
        tool: The path of the tool that was asked, "" when there is none.
    """

    gpus: List[Dict[str, Any]]
    problem: str
    warnings: List[str]
    tool: str


def list_gpus(experiment_id: str = "", environment: Optional[Mapping[str, str]] = None) -> Gpus:
    """Asks the driver's tool for this machine's GPUs. Takes at most about 15 seconds.

    Args:
        experiment_id: The experiment whose processes are not others; "" for none.
        environment: Where CUDA_VISIBLE_DEVICES and the like are looked for; this process's by default.
    """
    environment = os.environ if environment is None else environment
    found = _first_listing(Deadline(LISTING_SECONDS))
    devices = _visible(found, environment)
    rows = [
        {
            "index": device.number,
            "identifier": device.identifier,
            "name": device.name,
            "uuid": device.uuid,
            "used_by_others": users.count_others(device.pids, experiment_id),
            "memory_total": device.memory_total,
            "memory_used": device.memory_used,
            "problem": device.problem,
        }
        for device in devices
    ]
    return Gpus(rows, found.problem, found.warnings, found.tool)


def _first_listing(deadline: Deadline) -> Listing:
    """Returns what the first tool says that names GPUs, or all that was wrong."""
    problems: Dict[str, str] = {}
    for name, list_by in _LISTS.items():
        if name == "rocm-smi" and "amd-smi" in problems:
            continue  # the same driver
        for path in find_tool(name):
            if deadline.left() > 0:
                found = list_by(path, deadline)
                if found.devices:
                    return found
                problems.setdefault(name, found.problem)
    tool = next((path for name in problems for path in find_tool(name)[:1]), "")
    return Listing(problem="; ".join(problems.values()) or _missing(), tool=tool)


def _missing() -> str:
    loaded = nvidia.driver_without_tool()
    if loaded:
        where = f"on PATH ({os.environ.get('PATH', '')}) or in {', '.join(PLACES)}"
        return f"{loaded}, but there is no nvidia-smi {where}"
    return MISSING


def _visible(found: Listing, environment: Mapping[str, str]) -> List[Device]:
    inherited = environment.get("CUDA_VISIBLE_DEVICES")
    if os.path.basename(found.tool) not in amd.TOOLS:
        return visible.visible_devices(found.devices, inherited)
    devices = visible.visible_devices(
        found.devices, environment.get("ROCR_VISIBLE_DEVICES"), "ROCR_VISIBLE_DEVICES", renumber=True
    )
    if "HIP_VISIBLE_DEVICES" in environment:
        problem = "HIP_VISIBLE_DEVICES is set, and outweighs CUDA_VISIBLE_DEVICES; unset it"
        return [device._replace(problem=device.problem or problem) for device in devices]
    return visible.visible_devices(devices, inherited)
