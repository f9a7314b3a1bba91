"""Checks of the machine: its clock, limits, shell, language and GPUs."""

from __future__ import annotations

import codecs
import locale
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nni.machine.gpus import MISSING, Gpus, list_gpus

from nni_client.doctor.findings import Finding, failure, note, ok, warning
from nni_client.limits import LEAST_OPEN_FILES

FEW_OPEN_FILES = 1024
"""Enough for a manager with some hundred trials and open pages."""

LEAST_PROCESSES = 32
"""How many more processes and threads a small experiment needs: manager, courier, tuner, trials."""

FEW_PROCESSES = 256

_YEARS = (2025, 2100)
_JUMP_SECONDS = 0.05
_WATCHED_SECONDS = 0.2
_SECONDS = 10.0
_MEBIBYTE = 2**20
_PIDS = Path("/sys/fs/cgroup")
_HOME_OF_BASH = "/bin/bash"


class Clocks(NamedTuple):
    """What two clocks say at one moment, in seconds."""

    wall: float
    steady: float


class ProcessLimit(NamedTuple):
    """How many more processes may be started, and what limits them."""

    left: int
    what: str


def read_clocks() -> Clocks:
    """Returns what this machine's clocks say now."""
    return Clocks(time.time(), time.monotonic())


def check_clock(
    read: Callable[[], Clocks] = read_clocks, sleep: Callable[[float], None] = time.sleep
) -> list[Finding]:
    """Checks that the clock has a sane year, and is not set while it is watched."""
    first = read()
    repair = "set the clock, and have it follow a time server (chrony or systemd-timesyncd)"
    year = time.gmtime(max(first.wall, 0)).tm_year
    if not _YEARS[0] <= year <= _YEARS[1]:
        return [failure(f"the clock is wrong, it says that the year is {year}", repair)]
    sleep(_WATCHED_SECONDS)
    second = read()
    jumped = (second.wall - first.wall) - (second.steady - first.steady)
    if abs(jumped) > _JUMP_SECONDS:
        return [warning(f"the clock was set by {jumped:+.2f} s just now; times of trials are wrong", repair)]
    return [ok(time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(second.wall)))]


def open_files_limit() -> int | None:
    """Returns how many files a process may have open, None for no limit."""
    if sys.platform == "win32":
        return None
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def process_limit() -> ProcessLimit | None:
    """Returns how many more processes may be started, None where nothing limits them."""
    found = [limit for limit in (_limit_of_user(), _limit_of_container()) if limit is not None]
    return min(found, default=None)


def check_limits(
    open_files: Callable[[], int | None] = open_files_limit,
    processes: Callable[[], ProcessLimit | None] = process_limit,
) -> list[Finding]:
    """Checks how many files may be open, and how many processes may be started."""
    return [_open_files_finding(open_files()), _processes_finding(processes())]


def check_bash(
    run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run, path: str | None = None
) -> list[Finding]:
    """Checks that bash, which runs the commands of trials, is there and works."""
    bash = _HOME_OF_BASH if Path(_HOME_OF_BASH).exists() else shutil.which("bash")
    if path is not None:
        bash = path or None
    if bash is None:
        text = "there is no bash; commands of trials run in sh, which lacks source, [[ ]], pipefail and more"
        return [warning(text, "install bash (apt-get install bash, apk add bash)")]
    repair = f"reinstall bash, until this prints yes: {bash} -c 'echo yes'"
    try:
        done = run([bash, "-c", "exit 7"], capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [failure(f"{bash} cannot be run: {error}", repair)]
    if done.returncode != 7:
        return [failure(f"{bash} does not work: 'exit 7' gives exit code {done.returncode}", repair)]
    return [ok(bash)]


def check_locale(encodings: Mapping[str, str] | None = None) -> list[Finding]:
    """Checks that file names and texts are UTF-8, as this software and most files have it."""
    if encodings is None:
        encodings = {
            "file names": sys.getfilesystemencoding(),
            "text files": locale.getpreferredencoding(False),
        }
    wrong = [f"{what} are {name}" for what, name in encodings.items() if not _is_utf8(name)]
    if wrong:
        text = f"{' and '.join(wrong)}, not UTF-8; trials that read or write other letters fail"
        return [warning(text, "export LC_ALL=C.UTF-8, or PYTHONUTF8=1")]
    return [ok("UTF-8")]


def check_gpu(look: Callable[[], Gpus] = list_gpus) -> list[Finding]:
    """Checks that the driver's tool tells of the GPUs, as it does for trials. Machines without need none."""
    if sys.platform == "win32":
        return [note("experiments do not run on Windows itself; run this in WSL2, where GPUs are seen")]
    found = look()
    if not found.tool and found.problem != MISSING:
        return [failure(found.problem, "put the folder of nvidia-smi on PATH")]
    if not found.tool:
        return [note(f"{found.problem}, so no GPU is seen; trial_gpu_number above 0 cannot be used")]
    tool = Path(found.tool).name
    repair = f"see what {tool} says; the driver may need to be loaded or reinstalled, or the GPU a reset"
    if found.problem:
        return [failure(found.problem, repair)]
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    hint = [] if hidden is None else [note(f"CUDA_VISIBLE_DEVICES is {hidden!r} here, and in trials")]
    return [
        *(_gpu_finding(gpu) for gpu in found.gpus),
        *(warning(text, repair) for text in found.warnings),
        *hint,
    ]


def _gpu_finding(gpu: Mapping[str, Any]) -> Finding:
    total = gpu["memory_total"]
    memory = "" if total is None else f", {total // _MEBIBYTE} MiB"
    text = f"{gpu['index']}: {gpu['name'] or 'unnamed'}{memory}"
    if gpu["problem"]:
        return note(f"{text}: trials cannot use it: {gpu['problem']}")
    users = gpu["used_by_others"]
    if users:
        return note(f"{text}: {users} process{'es' if users > 1 else ''} on it; trials need use_active_gpu")
    return ok(text)


def _open_files_finding(limit: int | None) -> Finding:
    if limit is None:
        return ok("open files: no limit")
    repair = f"ulimit -n {FEW_OPEN_FILES} (LimitNOFILE= in a systemd unit, --ulimit nofile= of docker)"
    if limit < LEAST_OPEN_FILES:
        return failure(f"open files: {limit} at most, a manager needs {LEAST_OPEN_FILES}", repair)
    if limit < FEW_OPEN_FILES:
        return warning(f"open files: {limit} at most, which is few for many trials at a time", repair)
    return ok(f"open files: {limit} at most")


def _processes_finding(limit: ProcessLimit | None) -> Finding:
    if limit is None:
        return ok("processes: no limit")
    text = f"processes: {max(limit.left, 0)} more may be started ({limit.what})"
    repair = "end processes, or raise the limit: ulimit -u, TasksMax= of systemd, --pids-limit of docker"
    if limit.left < LEAST_PROCESSES:
        return failure(text, repair)
    return warning(text, repair) if limit.left < FEW_PROCESSES else ok(text)


def _limit_of_user() -> ProcessLimit | None:
    if sys.platform == "win32":
        return None
    import resource

    import psutil

    soft = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if soft == resource.RLIM_INFINITY or os.getuid() == 0:  # it does not count for root
        return None
    threads = 0
    for process in psutil.process_iter(["uids", "num_threads"]):
        uids = process.info["uids"]
        threads += (process.info["num_threads"] or 1) if uids and uids.real == os.getuid() else 0
    return ProcessLimit(soft - threads, f"ulimit -u is {soft}")


def _limit_of_container(root: Path = _PIDS) -> ProcessLimit | None:
    try:
        most = (root / "pids.max").read_text(encoding="ascii").strip()
        now = int((root / "pids.current").read_text(encoding="ascii"))
        return None if most == "max" else ProcessLimit(int(most) - now, f"pids.max is {most}")
    except (OSError, ValueError):
        return None  # not in a container, or one without this limit


def _is_utf8(name: str) -> bool:
    try:
        return codecs.lookup(name).name == "utf-8"
    except LookupError:
        return False
