"""Reads what `python -m nni.machine_report` printed on a machine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from nni_manager.training.host import Gpu, HostReport
from nni_manager.training.interface import TrainingServiceError

PROGRAM_SECONDS = 20.0
"""How long the program may take; it gives up on what it asks earlier."""

_SAID = 300


@dataclass(frozen=True, slots=True)
class MachineReport:
    """What a machine has.

    Attributes:
        host: Its GPUs.
        warnings: What the driver's tool did not tell: which processes are on GPUs, for one.
        python: The version of the Python that ran the program: "3.8.18".
        executable: That Python's path.
        time: The machine's clock when it reported, in seconds since the epoch.
        hostname: The machine's own name.
        user: The user there.
        cpu_count: The processors, None if that is not known.
        free_bytes: The bytes that may be written to the folder asked about, None if that is not known.
        writable: Why that folder cannot be written to, "" if it can.
        cuda_visible_devices: CUDA_VISIBLE_DEVICES as trials inherit it, None when it is not set.
    """

    host: HostReport
    warnings: tuple[str, ...]
    python: str
    executable: str
    time: float
    hostname: str
    user: str
    cpu_count: int | None
    free_bytes: int | None
    writable: str
    cuda_visible_devices: str | None


def program_arguments(experiment_id: str, directory: str) -> list[str]:
    """Returns what follows the name of the Python interpreter to run the program.

    Args:
        experiment_id: The experiment whose processes on GPUs are not others'.
        directory: The folder that is to be written to; "~" begins the user's home.
    """
    # It needs the standard library only, and starts twice as fast without site-packages.
    return ["-S", "-m", "nni.machine_report", f"--experiment-id={experiment_id}", f"--directory={directory}"]


def parse_machine_report(output: bytes, at: float) -> MachineReport:
    """Returns what a machine reported.

    Args:
        output: What the program printed; a login shell may have printed something before and after.
        at: When it was asked, in seconds since the epoch, by this machine's clock.

    Raises:
        TrainingServiceError: There is no report in it, or one that is not understood.
    """
    values = _report(output)
    try:
        return MachineReport(
            host=HostReport(tuple(_gpu(row) for row in values["gpus"]), _text(values["gpu_problem"]), at),
            warnings=tuple(_text(each) for each in values.get("gpu_warnings", ())),
            python=_text(values["python"]),
            executable=_text(values["executable"]),
            time=float(values["time"]),
            hostname=_text(values["hostname"]),
            user=_text(values["user"]),
            cpu_count=_count(values["cpu_count"]),
            free_bytes=_count(values["free_bytes"]),
            writable=_text(values["writable"]),
            cuda_visible_devices=_optional_text(values["cuda_visible_devices"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise TrainingServiceError(f"its report of GPUs is not understood: {error!r}") from error


def _report(output: bytes) -> dict[str, Any]:
    for line in reversed(output.splitlines()):
        start = line.find(b'{"')
        try:
            values = json.loads(line[start:]) if start >= 0 else None
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict) and "gpus" in values:
            return values
    said = " ".join(output.decode("utf-8", "replace").split())[:_SAID]
    raise TrainingServiceError(f"it printed no report of its GPUs, but {said!r}")


def _gpu(row: dict[str, Any]) -> Gpu:
    index, used_by_others = _count(row["index"]), _count(row["used_by_others"])
    if index is None or used_by_others is None:
        raise TypeError(f"index and used_by_others must be numbers: {row!r}")
    return Gpu(
        index=index,
        identifier=_text(row["identifier"]),
        used_by_others=used_by_others,
        problem=_text(row["problem"]),
        name=_text(row["name"]),
        memory_total=_count(row["memory_total"]),
        memory_used=_count(row["memory_used"]),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _optional_text(value: Any) -> str | None:
    return None if value is None else _text(value)


def _count(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError(f"{value!r} is no whole number from 0 on")
    return value
