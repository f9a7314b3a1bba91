"""What an inherited CUDA_VISIBLE_DEVICES leaves of the GPUs, as CUDA reads it."""

from __future__ import annotations

import re
from typing import Dict, List, Optional, Tuple

from nni.machine.devices import Device

HIDDEN = "not in CUDA_VISIBLE_DEVICES"

_LEADING_NUMBER = re.compile(r"\+?([0-9]{1,6})")
_PREFIXES = ("GPU-", "MIG-")


def visible_devices(
    devices: List[Device], text: Optional[str], variable: str = "CUDA_VISIBLE_DEVICES", renumber: bool = False
) -> List[Device]:
    """Returns all GPUs, with what is to name them; those that are hidden have that as their problem.

    CUDA reads entries from left to right and stops at the first that names no GPU; a GPU that is named twice
    hides all. An entry is an index, of which what follows the digits does not count, or the beginning of a
    UUID that fits one GPU only; the first entry says which of the two it is for all.

    Args:
        devices: The GPUs in the driver's order.
        text: The variable's value, None when it is not set.
        variable: Its name.
        renumber: Programs see the ones that are left as numbers from 0, and name them so (ROCm).
    """
    if text is None:
        return devices
    entries, why = _entries(devices, text)
    hidden = why.replace("CUDA_VISIBLE_DEVICES", variable)
    found = []
    for place, device in enumerate(devices):
        if place not in entries:
            found.append(device._replace(problem=device.problem or hidden))
        else:
            number, entry = entries[place]
            found.append(device._replace(identifier=str(number) if renumber else entry))
    return found


def _entries(devices: List[Device], text: str) -> Tuple[Dict[int, Tuple[int, str]], str]:
    """Returns the number and entry of each GPU that is left, by its place, and why the others are not."""
    prefix = next((each for each in _PREFIXES if text.startswith(each)), "")
    found: Dict[int, Tuple[int, str]] = {}
    if not text.strip():
        return found, HIDDEN
    for raw in text.split(","):
        entry = raw.strip()
        if not prefix:
            entry = _number_of(entry) or entry
        place = _place_by_uuid(devices, entry, prefix) if prefix else _place_by_index(devices, entry)
        if place is None:
            return found, f"{HIDDEN}, which is not valid from {raw!r} on" if entry != "-1" else HIDDEN
        if place in found:
            return {}, f"CUDA_VISIBLE_DEVICES names {entry!r} twice, so CUDA sees no GPU"
        found[place] = len(found), entry
    return found, HIDDEN


def _number_of(entry: str) -> str:
    number = _LEADING_NUMBER.match(entry)
    return str(int(number.group(1))) if number else ""


def _place_by_index(devices: List[Device], entry: str) -> Optional[int]:
    # Of a GPU in MIG mode CUDA takes the first instance.
    return next((place for place, device in enumerate(devices) if str(device.number) == entry), None)


def _place_by_uuid(devices: List[Device], entry: str, prefix: str) -> Optional[int]:
    if not entry.startswith(prefix) or entry == prefix:
        return None
    # As seen on a real GPU: letters may be upper case, and what follows a whole UUID does not count.
    wanted = entry.lower()
    uuids = [device.uuid.lower() for device in devices]
    exact = [place for place, uuid in enumerate(uuids) if uuid and wanted.startswith(uuid)]
    if exact:
        return max(exact, key=lambda place: len(uuids[place]))
    fitting = [place for place, uuid in enumerate(uuids) if uuid.startswith(wanted)]
    return fitting[0] if len(fitting) == 1 else None
