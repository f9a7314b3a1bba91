"""Trials a second on another machine, beside trials here and beside plain `ssh host true`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from workspace.lab import Laboratory
from workspace.launch import ToolError
from workspace.remote_benchmark.experiments import LOOP, NOOP, Ran, configuration, here, on, run

Rows = list[tuple[str, str]]


def speed(lab: Laboratory, folder: Path, trials: int, concurrency: int) -> Rows:
    """Runs trials that do nothing on one host and here.

    Args:
        lab: The hosts.
        folder: An empty folder.
        trials: How many.
        concurrency: How many at a time.
    """
    host = lab.hosts["gpu-a"]
    local = run(configuration(here(), folder / "local", NOOP, trials, concurrency))
    before = host.logins()
    remote = run(configuration(on([host]), folder / "remote", NOOP, trials, concurrency))
    logins = host.logins() - before
    each = ["ssh", "-F", str(ssh_config(lab, folder)), "gpu-a", "true"]
    shared = [*each[:1], "-o", "ControlMaster=auto", "-o", f"ControlPath={folder}/c", *each[1:]]
    alone = ["bash", "-c", f"{sys.executable} -c pass"]
    rows = [
        ("trials on one host", _rate(trials, remote.seconds)),
        ("trials on this machine", _rate(trials, local.seconds)),
        ("`python3 -c pass` here, nothing else", _rate(trials, _seconds(alone, trials, concurrency))),
        ("`ssh host true`, a connection each", _rate(trials, _seconds(each, trials, concurrency))),
    ]
    subprocess.run([*shared[:-1], "-fN"], check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        rows.append(
            ("`ssh host true`, one connection for all", _rate(trials, _seconds(shared, trials, concurrency)))
        )
    finally:
        subprocess.run([*shared[:-1], "-O", "exit"], check=True, capture_output=True)
    return [
        *rows,
        ("start() to the first trial on one host", f"{remote.to_first:.2f} s"),
        ("start() to the first trial on this machine", f"{local.to_first:.2f} s"),
        ("SSH connections to the host for all of that", str(logins)),
    ]


def looping(lab: Laboratory, folder: Path, trials: int, scripts: Sequence[int]) -> Rows:
    """Has scripts that loop take trials that do nothing, on one host and here.

    Args:
        lab: The hosts.
        folder: An empty folder.
        trials: How many.
        scripts: How many scripts loop at a time; each number is measured.
    """
    places = {
        "on this machine": here(reuse=True),
        "on one host": on([lab.hosts["gpu-a"]], reuse=True),
    }
    rows = []
    for count in scripts:
        for place, service in places.items():
            where = folder / f"{count} {place}"
            ran = run(configuration(service, where, LOOP, trials, count))
            rows.append((f"trials of {count} looping scripts {place}", _rate(trials, ran.seconds)))
            rows.append(
                ("    processor time of the manager for each", f"{1000 * ran.manager_cpu / trials:.1f} ms")
            )
    return rows


def load(lab: Laboratory, folder: Path, trials: int, slots: int) -> Rows:
    """Keeps many slots on all hosts busy, and says what that costs the manager.

    Args:
        lab: The hosts.
        folder: An empty folder.
        trials: How many.
        slots: How many at a time.
    """
    hosts = list(lab.hosts.values())
    before = [host.logins() for host in hosts]
    ran: Ran = run(configuration(on(hosts), folder / "load", NOOP, trials, slots))
    logins = [host.logins() - count for host, count in zip(hosts, before, strict=True)]
    return [
        (f"trials in {slots} slots on {len(hosts)} hosts", _rate(trials, ran.seconds)),
        ("processor time of the manager for a trial", f"{1000 * ran.manager_cpu / trials:.1f} ms"),
        ("SSH connections to each host", ", ".join(map(str, logins))),
    ]


def ssh_config(lab: Laboratory, folder: Path) -> Path:
    """Writes a configuration of ssh that knows the hosts, and returns its path."""
    path = folder / "ssh_config"
    quiet = f"UserKnownHostsFile {folder}/known\nStrictHostKeyChecking no\nLogLevel ERROR\n"
    path.write_text(quiet + lab.ssh_config())
    return path


def _seconds(command: Sequence[str], times: int, concurrency: int) -> float:
    def once(_: int) -> None:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, text=True)
        if done.returncode != 0:
            raise ToolError(f"{' '.join(command)} failed: {done.stderr}")

    started = time.monotonic()
    with ThreadPoolExecutor(concurrency) as pool:
        list(pool.map(once, range(times)))
    return time.monotonic() - started


def _rate(count: int, seconds: float) -> str:
    return f"{count / seconds:.1f}/s"
