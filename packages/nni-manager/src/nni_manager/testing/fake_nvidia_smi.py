"""A stand-in for nvidia-smi, for machines without GPUs.

It is this file, executable, beside a state file that it reads anew each time it runs. It needs Python 3.8 or
later and nothing else, so it can be put on any machine.

The state is a JSON object: "gpus" is a list of objects with "name", "uuid", "memory_total" and "memory_used"
(MiB), "compute_mode", "mig" ("Enabled", "Disabled") and "instances" (of a GPU in MIG mode: a list of objects
with "profile" and "uuid"); "processes" is a list of objects with "gpu" (its number), "pid" and, in MIG mode,
"instance". "watched" true adds the processes of this machine that have FAKE_GPU=1 in their environment, on
the GPUs in their CUDA_VISIBLE_DEVICES. What else it does: "hang_seconds"; "before" and "after" are printed
around tables; "output" is printed instead of them; "exit_code"; "unknown_fields" are columns that the driver
does not know; "fields" are values that all rows have, by column.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

STATE_NAME = "nvidia-smi.json"
STATE_VARIABLE = "FAKE_NVIDIA_SMI_STATE"


def gpus(count: int, **values: Any) -> list[dict[str, Any]]:
    """Returns GPUs for a state.

    Args:
        count: How many.
        values: What each has besides its name, UUID and memory.
    """
    return [
        {"name": "Fake GPU", "uuid": uuid(number), "memory_total": 24576, "memory_used": 1, **values}
        for number in range(count)
    ]


def uuid(number: int) -> str:
    """Returns the UUID that gpus() gives a GPU."""
    return f"GPU-{number:08x}-0000-0000-0000-00000000fa4e"


def install(folder: Path, state: dict[str, Any], python: str = sys.executable) -> Path:
    """Makes `<folder>/nvidia-smi` with a state.

    Args:
        folder: Where; it is made if it is not there.
        state: What the tool is to say.
        python: The interpreter that is to run it.

    Returns:
        The tool's path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_state(folder, state)
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!{python}\n{Path(__file__).read_text(encoding='utf-8')}", encoding="utf-8")
    tool.chmod(0o755)
    return tool


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Changes what the tool in a folder says; a tool that runs now says the old or the new."""
    unfinished = folder / f".{STATE_NAME}"
    unfinished.write_text(json.dumps(state), encoding="utf-8")
    unfinished.replace(folder / STATE_NAME)


def answer(state: dict[str, Any], arguments: list[str]) -> tuple[str, int]:
    """Returns what the tool prints, and its exit code."""
    code = int(state.get("exit_code", 0))
    if "output" in state:
        return str(state["output"]), code
    options = dict(argument.partition("=")[::2] for argument in arguments)
    if "--query-gpu" in options:
        table, problem = _gpu_table(state, options["--query-gpu"].split(","))
        if problem:
            return problem, 2
    elif "--query-compute-apps" in options:
        table = _process_table(state)
    elif "-x" in options:
        return _log(state), code
    else:
        table = _list(state)
    return f"{state.get('before', '')}{table}{state.get('after', '')}", code


def _gpu_table(state: dict[str, Any], columns: list[str]) -> tuple[str, str]:
    for column in columns:
        if column in state.get("unknown_fields", ()):
            return "", f'Field "{column}" is not a valid field to query.\n\n'
    rows = []
    for number, gpu in enumerate(state.get("gpus", ())):
        values = {
            "index": gpu.get("index", number),
            "uuid": gpu.get("uuid", "[N/A]"),
            "name": gpu.get("name", "[N/A]"),
            "memory.total": gpu.get("memory_total", "[N/A]"),
            "memory.used": gpu.get("memory_used", "[N/A]"),
            "compute_mode": gpu.get("compute_mode", "Default"),
            "mig.mode.current": gpu.get("mig", "[N/A]"),
            **state.get("fields", {}),
        }
        rows.append(", ".join(str(values.get(column, "[N/A]")) for column in columns) + "\n")
    return "".join(rows) or "No devices were found\n", ""


def _process_table(state: dict[str, Any]) -> str:
    found = state.get("gpus", ())
    return "".join(f"{found[process['gpu']]['uuid']}, {process['pid']}\n" for process in _processes(state))


def _list(state: dict[str, Any]) -> str:
    lines = []
    for number, gpu in enumerate(state.get("gpus", ())):
        lines.append(f"GPU {number}: {gpu.get('name')} (UUID: {gpu.get('uuid')})\n")
        for place, instance in enumerate(gpu.get("instances", ())):
            profile = f"MIG {instance['profile']}"
            lines.append(f"  {profile:<15} Device {place:>2}: (UUID: {instance['uuid']})\n")
    return "".join(lines) or "No devices were found\n"


def _log(state: dict[str, Any]) -> str:
    parts = [
        '<?xml version="1.0" ?>\n<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">\n<nvidia_smi_log>'
    ]
    for number, gpu in enumerate(state.get("gpus", ())):
        parts.append(f'<gpu id="00000000:{number:02X}:00.0"><uuid>{gpu.get("uuid")}</uuid><mig_devices>')
        for place, _ in enumerate(gpu.get("instances", ())):
            parts.append(
                f"<mig_device><index>{place}</index><gpu_instance_id>{place + 7}</gpu_instance_id>"
                "<compute_instance_id>0</compute_instance_id><fb_memory_usage><total>9856 MiB</total>"
                "<used>12 MiB</used></fb_memory_usage></mig_device>"
            )
        parts.append("</mig_devices><processes>")
        for process in _processes(state):
            if process["gpu"] == number:
                instance = process.get("instance")
                whose = "N/A" if instance is None else str(instance + 7)
                parts.append(
                    f"<process_info><gpu_instance_id>{whose}</gpu_instance_id><compute_instance_id>0"
                    f"</compute_instance_id><pid>{process['pid']}</pid><type>C</type></process_info>"
                )
        parts.append("</processes></gpu>")
    return "".join([*parts, "</nvidia_smi_log>\n"])


def _processes(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [*state.get("processes", ()), *(_watched(state) if state.get("watched") else ())]


def _watched(state: dict[str, Any]) -> list[dict[str, Any]]:
    numbers = {
        str(name): number for number, gpu in enumerate(state["gpus"]) for name in (number, gpu["uuid"])
    }
    found: list[dict[str, Any]] = []
    for folder in Path("/proc").iterdir():
        try:
            variables = (folder / "environ").read_bytes().split(b"\0") if folder.name.isdigit() else []
        except OSError:
            continue
        if b"FAKE_GPU=1" in variables:
            visible = next((it[21:] for it in variables if it.startswith(b"CUDA_VISIBLE_DEVICES=")), b"")
            for entry in visible.decode("utf-8", "replace").split(","):
                if entry in numbers:
                    found.append({"gpu": numbers[entry], "pid": int(folder.name)})
    return found


def main() -> None:
    """Does what the state says."""
    path = os.environ.get(STATE_VARIABLE) or str(Path(__file__).resolve().parent / STATE_NAME)
    state = json.loads(Path(path).read_text(encoding="utf-8"))
    time.sleep(state.get("hang_seconds", 0))
    output, code = answer(state, sys.argv[1:])
    sys.stdout.write(output)
    sys.exit(code)


if __name__ == "__main__":
    main()
