"""Measures what jobs cost a manager that tell it at once: `python tools/benchmark_direct_reports.py`.

The manager's port, with TLS, is in this process; the jobs are threads of another one, each with the two
connections of a real job. So the processor time is that of the manager's part.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from nni.manager_calls import ManagerCalls
from nni_manager.shared_storage.mounted_files import MountedFiles
from nni_manager.testing.running_port import EXPERIMENT_ID, RunningPort, running_port
from nni_manager.training.jobs.direct import DirectReports, ManagerAccess

NAME = "manager.test"
WAIT_SECONDS = 50.0
LINE = (
    b'{"reported": {"trialId": "abcde", "reports": [{"value": {"doubleValue": 0.5}}], "endOffset": "80"}}\n'
)


def play_jobs(jobs: int, pushes: int) -> None:
    """Is the jobs: reads what each is told from standard input, and prints how long a call takes."""
    accesses = [line.strip() for line in sys.stdin.readline().split()]
    assert len(accesses) == jobs

    def ask(access: str) -> None:
        calls = ManagerCalls(access)
        position = 0
        while True:
            position += len(calls.read_orders(position, WAIT_SECONDS))

    for access in accesses:
        threading.Thread(target=ask, args=(access,), daemon=True).start()
    telling = [ManagerCalls(access) for access in accesses]
    for calls in telling:
        calls.append_events(0, b"")
    print("ready", flush=True)
    sys.stdin.readline()
    seconds = []
    for number in range(pushes):
        calls, round_ = telling[number % jobs], number // jobs
        began = time.perf_counter()
        calls.append_events(round_ * len(LINE), LINE)
        seconds.append(time.perf_counter() - began)
    print(json.dumps({"median": statistics.median(seconds), "most": max(seconds)}), flush=True)
    sys.stdin.readline()


async def measure(jobs: int, pushes: int, idle_seconds: float) -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x"
        command += f" -addext subjectAltName=DNS:{NAME} -out cert.pem -keyout key.pem"
        await asyncio.to_thread(subprocess.run, command.split(), cwd=folder, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        context.set_alpn_protocols(["http/1.1", "h2"])
        async with running_port(tls=context, allowed_hosts=(NAME,)) as port:
            await _measure_port(port, folder, jobs, pushes, idle_seconds)
            port.pushed.close()


async def _measure_port(port: RunningPort, folder: Path, jobs: int, pushes: int, idle_seconds: float) -> None:
    certificate = (folder / "cert.pem").read_text()
    access = ManagerAccess(EXPERIMENT_ID, "127.0.0.1", port.port, "", certificate, NAME, port.tokens.job)
    direct = DirectReports(port.pushed, access)
    names = [f"nni_{EXPERIMENT_ID}_{number:05d}_0" for number in range(jobs)]
    followed = [port.pushed.open(name, MountedFiles(folder)) for name in names]
    for files, name in zip(followed, names, strict=True):
        files.size(f"spool/{name}/orders.jsonl")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        f"--jobs={jobs}",
        f"--pushes={pushes}",
        "--play-jobs",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        limit=1 << 24,
    )
    assert process.stdin is not None and process.stdout is not None
    told = [value for name in names for value in direct.secrets(name, None).values()]
    began = _processor()
    process.stdin.write(" ".join(told).encode() + b"\n")
    assert await process.stdout.readline() == b"ready\n"
    _row(f"processor time to take in {jobs} jobs", f"{(_processor() - began) * 1000 / jobs:.1f} ms a job")
    await asyncio.sleep(min(2.0, idle_seconds))
    began = _processor()
    await asyncio.sleep(idle_seconds)
    _row(f"processor with {jobs} jobs that wait", f"{(_processor() - began) / idle_seconds:.2%} of a core")
    began = _processor()
    process.stdin.write(b"\n")
    result = json.loads(await process.stdout.readline())
    _row("processor time of a call that tells events", f"{(_processor() - began) * 1000 / pushes:.2f} ms")
    _row("such a call, median and longest", f"{result['median'] * 1000:.1f}, {result['most'] * 1000:.1f} ms")
    assert sum(files.take(0, b"") for files in followed) == pushes * len(LINE)
    process.terminate()
    await process.wait()


def _processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _row(what: str, value: str) -> None:
    print(f"{what:55} {value}", flush=True)


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--pushes", type=int, default=1000)
    parser.add_argument("--idle-seconds", type=float, default=60.0)
    parser.add_argument("--play-jobs", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.play_jobs:
        play_jobs(options.jobs, options.pushes)
    else:
        asyncio.run(measure(options.jobs, options.pushes, options.idle_seconds))


if __name__ == "__main__":
    main()
