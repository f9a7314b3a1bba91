"""What is known of one GPU, whatever its maker."""

from __future__ import annotations

from typing import Any, FrozenSet, List, NamedTuple, Optional

MEBIBYTE = 1 << 20


class Device(NamedTuple):
    """A GPU, or a part of one that is used like a GPU (an instance of one in MIG mode).

    Attributes:
        number: Its number, as the driver numbers it; the instances of a GPU have the number of the GPU.
        identifier: What goes into CUDA_VISIBLE_DEVICES for it.
        uuid: The driver's name for it, "" if that is not known.
        name: The model, "" if that is not known.
        memory_total: Its memory in bytes, None if that is not known.
        memory_used: How much of that is in use, in bytes, None if that is not known.
        problem: Why it cannot be used at all, "" if it can.
        pids: The processes that compute on it.
    """

    number: int
    identifier: str
    uuid: str = ""
    name: str = ""
    memory_total: Optional[int] = None
    memory_used: Optional[int] = None
    problem: str = ""
    pids: FrozenSet[int] = frozenset()


class Listing(NamedTuple):
    """What a driver's tool told.

    Attributes:
        devices: The GPUs.
        problem: Why they could not be listed, "" if they could.
        warnings: What could not be found out besides.
        tool: The path of the tool, "" when there is none.
    """

    devices: List[Device] = []
    problem: str = ""
    warnings: List[str] = []
    tool: str = ""


def mebibytes(text: str) -> Optional[int]:
    """Returns the bytes that a tool's number of MiB means ("81559", "81559 MiB"), None if it is no number."""
    number = text.strip().split(" ")[0]
    return int(number) * MEBIBYTE if number.isascii() and number.isdigit() and len(number) < 12 else None


def whole_number(value: Any) -> Optional[int]:
    """Returns a whole number that JSON or a tool gives as a number or as text, None if it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value < 1 << 62 else None
    if isinstance(value, float):
        return int(value) if 0 <= value < 1 << 62 else None  # not so for NaN
    if isinstance(value, str):
        text = value.strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
    return None
