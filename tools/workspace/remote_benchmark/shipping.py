"""How a code folder gets to three hosts, beside rsync, scp and tar."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from workspace.lab import Host, Laboratory
from workspace.launch import ToolError
from workspace.remote_benchmark.experiments import NOOP, configuration, on, run
from workspace.remote_benchmark.speed import Rows, ssh_config

_MEGABYTE = 1_000_000


def shipping(lab: Laboratory, folder: Path, megabytes: int, files: int) -> Rows:
    """Sends a folder to all hosts at a time.

    Half of the files are noise, which cannot be made smaller, half are text.

    Args:
        lab: The hosts.
        folder: An empty folder.
        megabytes: How large the code folder is.
        files: How many files it has.
    """
    code = folder / "code"
    make_code(code, megabytes, files)
    hosts = list(lab.hosts.values())
    small = run(configuration(on(hosts), folder / "small", NOOP, len(hosts), len(hosts)))
    before = _bytes(hosts)
    large = run(configuration(on(hosts), code, NOOP, len(hosts), len(hosts)))
    sent = _bytes(hosts) - before
    config = str(ssh_config(lab, folder))
    copies: dict[str, Callable[[Host], list[str]]] = {
        "rsync -az": lambda host: [
            "rsync",
            "-az",
            "-e",
            f"ssh -F {config}",
            f"{code}/",
            f"{host.name}:rsynced",
        ],
        "scp -rqC": lambda host: ["scp", "-rqC", "-F", config, str(code), f"{host.name}:copied"],
        "tar -cz | ssh tar -x": lambda host: [
            *("bash", "-c"),
            f"tar -C {code} -cz . | ssh -F {config} {host.name} 'mkdir tarred && tar -C tarred -xz'",
        ],
    }
    extra = large.to_all - small.to_all
    rows = [
        (
            f"{megabytes} MB in {files} files, packed and sent once",
            f"{extra:.1f} s, {sent / _MEGABYTE:.0f} MB",
        )
    ]
    for name, command in copies.items():
        seconds, size = _copy(hosts, command)
        rows.append((name, f"{seconds:.1f} s, {size / _MEGABYTE:.0f} MB"))
    again = run(configuration(on(hosts), code, NOOP, len(hosts), len(hosts)))
    rows.append(("the same folder in the next experiment", f"{again.to_all - small.to_all:.1f} s"))
    return rows


def make_code(folder: Path, megabytes: int, files: int) -> None:
    """Makes a code folder in which half of the bytes are noise and half are text."""
    source = random.Random(7)
    size = megabytes * _MEGABYTE // files
    words = [f"{word} = {word[::-1]}" for word in map(str, range(10_000, 11_000))]
    for number in range(files):
        path = folder / f"package{number // 100}" / f"module{number}.{'bin' if number % 2 else 'py'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number % 2:
            path.write_bytes(source.randbytes(size))
        else:
            text = "\n".join(source.choices(words, k=size // 14 + 1))
            path.write_text(text[:size])


def _copy(hosts: list[Host], command: Callable[[Host], list[str]]) -> tuple[float, int]:
    def once(host: Host) -> None:
        done = subprocess.run(command(host), capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise ToolError(f"{' '.join(command(host))} failed: {done.stderr}")

    before, started = _bytes(hosts), time.monotonic()
    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(once, hosts))
    return time.monotonic() - started, _bytes(hosts) - before


def _bytes(hosts: list[Host]) -> int:
    return sum(host.bytes_received() for host in hosts)
