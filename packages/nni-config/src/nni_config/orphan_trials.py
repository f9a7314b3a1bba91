"""Trials that run on although the manager that started them has gone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from nni_config.processes import is_same_process

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def orphan_trials(folder: Path) -> list[str]:
    """Returns the trials in an experiment's folder whose processes run on this machine.

    Args:
        folder: The experiment's folder.
    """
    attempts = sorted(folder.glob("trials/*/.nni/*/run.json"))
    return [path.parents[2].name for path in attempts if not has_ended(path) and _runs(_content(path))]


def processes_of(experiment_id: str) -> list[int]:
    """Returns the processes on this machine of trials of an experiment of this id, wherever its folder is.

    Args:
        experiment_id: The experiment's id.
    """
    import psutil

    running = psutil.process_iter(["pid", "environ"])
    # None of a process of another user.
    return [it.pid for it in running if (it.info["environ"] or {}).get("NNI_EXP_ID") == experiment_id]


def has_ended(run_file: Path) -> bool:
    """Returns whether the end of an attempt of a trial is noted.

    Args:
        run_file: The attempt's run.json.
    """
    return run_file.with_name("exit.json").exists()


def _runs(record: dict[str, Any]) -> bool:
    """Returns whether one of the processes of an attempt runs: its runner, or its command."""
    try:
        if record["boot_id"] != _BOOT.read_text(encoding="ascii").strip():
            return False
        known = [record[name] for name in ("runner", "command") if name in record]
        # Start times are noted in ticks of the clock since the machine started.
        ticks = os.sysconf("SC_CLK_TCK")
        return any(is_same_process(int(it["pid"]), int(it["start_time"]) / ticks) for it in known)
    except (OSError, KeyError, TypeError, ValueError):
        return False


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
