"""Measures what following jobs of a platform costs: `python tools/benchmark_jobs.py [--jobs 200]`.

The platform is simulated in this process: its jobs write to the shared storage what real ones write, and
nothing else runs. So the processor time is that of the manager's part, the requests are those that a server
would get, and the times are those between a job's last word in the storage and the experiment's knowing it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from nni_manager.engine.events import TrialEnded, TrialReported, TrialStarted
from nni_manager.shared_storage.mounted_files import MountedFiles
from nni_manager.training.host import HostEvent
from nni_manager.training.interface import TrialRun
from nni_manager.training.jobs.host import JobHost
from nni_manager.training.jobs.orders import TrialRules
from nni_manager.training.jobs.packing import Packed
from nni_manager.training.jobs.platform import JobOrder, JobReport, JobState, JobStorage
from nni_manager.training.shipping.sdk import pack_sdk

EXPERIMENT = "bench001"


class CountedFiles(MountedFiles):
    """A folder whose use is counted."""

    def __init__(self, directory: Path, calls: Counter[str]) -> None:
        """Names the folder, and what is counted with."""
        super().__init__(directory)
        self._calls = calls

    def read(self, name: str, offset: int = 0, limit: int | None = None) -> bytes:
        """Reads a file."""
        self._calls["storage"] += 1
        return super().read(name, offset, limit)

    def append(self, name: str, data: bytes, position: int) -> None:
        """Adds to a file."""
        self._calls["storage"] += 1
        super().append(name, data, position)


class SimulatedPlatform:
    """A platform whose jobs are lines in the storage."""

    name = "the simulated platform"
    platform = "simulated"

    def __init__(self, folder: Path) -> None:
        """Begins without jobs."""
        self.calls: Counter[str] = Counter()
        self.jobs: dict[str, JobState] = {}
        self._folder = folder
        self.files = CountedFiles(folder, self.calls)
        trials = folder / "trials"
        self.storage = JobStorage(("--folder", str(folder)), {}, str(trials), trials)

    @property
    def stored(self) -> tuple[CountedFiles, ...]:
        """The only folder in a storage."""
        return (self.files,)

    async def open(self) -> None:
        """Signs in."""
        return

    async def prepare(self, archives: Mapping[str, Path]) -> str:
        """Brings nothing."""
        return "/archives"

    async def submit(self, order: JobOrder) -> None:
        """Starts a job."""
        self.calls["submit"] += 1
        self.jobs[order.name] = JobState.RUNNING

    async def list(self) -> Mapping[str, JobReport]:
        """Returns all jobs."""
        self.calls["list"] += 1
        return {name: JobReport(name, state) for name, state in self.jobs.items()}

    async def stop(self, name: str) -> None:
        """Stops a job."""
        self.calls["stop"] += 1
        self.jobs[name] = JobState.STOPPED

    async def log(self, name: str, most_bytes: int) -> bytes:
        """Returns nothing."""
        self.calls["log"] += 1
        return b""

    async def close(self) -> None:
        """Does nothing."""
        return

    def tell(self, job: str, name: str, trial_id: str, **content: Any) -> None:
        """Writes what a job says."""
        path = self._folder / "spool" / job / "events.jsonl"
        line = json.dumps({name: {"trialId": trial_id, "attempt": 0, **content}})
        with path.open("a") as file:
            file.write(line + "\n")


class Bench:
    """A host on the simulated platform, and what it told."""

    def __init__(self, folder: Path, *, reuse_mode: bool = False) -> None:
        """Makes its folders."""
        (folder / "experiment").mkdir(parents=True)
        (folder / "shared").mkdir()
        self.platform = SimulatedPlatform(folder / "shared")
        self.known: dict[str, float] = {}
        self._packed = Packed({"sdk": pack_sdk(folder)}, "/code")
        self._started: dict[str, asyncio.Event] = {}
        self._ended: dict[str, asyncio.Event] = {}
        self.host = JobHost(
            platform=self.platform,
            experiment_id=EXPERIMENT,
            experiment_directory=folder / "experiment",
            rules=TrialRules("true", reuse_mode=reuse_mode),
            pack=self._pack,
            emit=self._emit,
        )

    async def start_trial(self, trial_id: str) -> str:
        """Runs a trial until it has started; returns its job."""
        self._started[trial_id], self._ended[trial_id] = asyncio.Event(), asyncio.Event()
        self.host.submit(TrialRun(trial_id, 0, 0, 0, {"x": 1}))
        while (job := self._job_of(trial_id)) is None:
            await asyncio.sleep(0.01)
        self.platform.tell(job, "started", trial_id, startTime=_now(), pid=1)
        await self._started[trial_id].wait()
        return job

    async def end_trial(self, job: str, trial_id: str, *, with_job: bool = True) -> float:
        """Ends a trial; returns after how many seconds that is known."""
        begun = time.monotonic()
        self.platform.tell(job, "ended", trial_id, endTime=_now(), exitCode=0)
        if with_job:
            self.platform.jobs[job] = JobState.SUCCEEDED
        await self._ended[trial_id].wait()
        return self.known[trial_id] - begun

    def report(self, job: str, trial_id: str, number: int) -> None:
        """Has a trial report a result."""
        value = {"kind": "METRIC_KIND_INTERMEDIATE", "number": str(number), "value": {"doubleValue": 0.5}}
        self.platform.tell(job, "reported", trial_id, endOffset=str(100 * (number + 1)), reports=[value])

    def _job_of(self, trial_id: str) -> str | None:
        for name in self.platform.jobs:
            path = f"spool/{name}/orders.jsonl"
            if f'"{trial_id}"'.encode() in MountedFiles.read(self.platform.files, path):
                return name
        return None

    def _emit(self, event: HostEvent) -> None:
        if isinstance(event, TrialStarted):
            self._started[event.trial_id].set()
        elif isinstance(event, TrialReported):
            self.host.acknowledge(event.trial_id, event.attempt, event.end_offset or 0)
        elif isinstance(event, TrialEnded):
            self.known[event.trial_id] = time.monotonic()
            self._ended[event.trial_id].set()

    async def _pack(self) -> Packed:
        return self._packed


async def requests_per_trial(
    folder: Path, trials: int, trial_seconds: float, *, reuse_mode: bool
) -> list[tuple[str, str]]:
    """Runs short trials four at a time."""
    bench = Bench(folder, reuse_mode=reuse_mode)
    await bench.host.start()
    before = Counter(bench.platform.calls)

    async def run(number: int) -> None:
        for index in range(number, trials, 4):
            job = await bench.start_trial(f"t{index}")
            await asyncio.sleep(trial_seconds)
            await bench.end_trial(job, f"t{index}", with_job=not reuse_mode)

    await asyncio.gather(*(run(number) for number in range(4)))
    calls = bench.platform.calls - before
    for name, state in bench.platform.jobs.items():
        if state is JobState.RUNNING:
            bench.platform.jobs[name] = JobState.SUCCEEDED
    await bench.host.close()
    asked = sum(calls[name] for name in ("submit", "list", "log", "stop"))
    kind = "jobs that are kept" if reuse_mode else "a job for each trial"
    return [
        (f"requests per trial of {trial_seconds:g} s, {kind}", f"{asked / trials:.1f} ({_listed(calls)})"),
        (f"looks into the storage per trial, {kind}", f"{calls['storage'] / trials:.1f}"),
    ]


async def many_jobs(folder: Path, jobs: int, seconds: float, settling: float) -> list[tuple[str, str]]:
    """Follows many running jobs, then ends some."""
    bench = Bench(folder)
    await bench.host.start()
    names: dict[str, str] = {}
    for start in range(0, jobs, 20):
        batch = [f"t{number}" for number in range(start, min(start + 20, jobs))]
        found = await asyncio.gather(*(bench.start_trial(trial_id) for trial_id in batch))
        names.update(zip(batch, found, strict=True))
    await asyncio.sleep(settling)  # until it asks as seldom as it does in the end
    quiet = await _used(bench, lambda: asyncio.sleep(seconds))

    async def reporting() -> None:
        for number in range(int(seconds)):
            for trial_id in list(names)[number % 10 :: 10]:
                bench.report(names[trial_id], trial_id, number // 10)
            await asyncio.sleep(1.0)

    busy = await _used(bench, reporting)
    delays = []
    random.seed(1)
    for trial_id in random.sample(sorted(names), min(40, jobs)):
        await asyncio.sleep(random.random())
        delays.append(await bench.end_trial(names.pop(trial_id), trial_id))
    await bench.host.close()
    return [
        (f"requests per minute, {jobs} jobs that run", f"{quiet.requests_per_minute:.1f}"),
        (f"processor, {jobs} jobs that say nothing", f"{quiet.processor:.1%} of a core"),
        (f"processor, {jobs} jobs that report every 10 s", f"{busy.processor:.1%} of a core"),
        (
            "from a job's last word to the experiment's knowing it",
            f"median {statistics.median(delays):.2f} s, most {max(delays):.2f} s",
        ),
    ]


async def idle(folder: Path, seconds: float) -> list[tuple[str, str]]:
    """Waits while there is no job."""
    bench = Bench(folder)
    await bench.host.start()
    used = await _used(bench, lambda: asyncio.sleep(seconds))
    await bench.host.close()
    return [
        ("requests per minute without a job", f"{used.requests_per_minute:.1f}"),
        ("processor without a job", f"{used.processor:.2%} of a core"),
    ]


class Used:
    """What was used while something was done."""

    def __init__(self, requests: int, processor_seconds: float, seconds: float) -> None:
        """Takes what was counted."""
        self.requests_per_minute = 60 * requests / seconds
        self.processor = processor_seconds / seconds


async def _used(bench: Bench, work: Callable[[], Awaitable[None]]) -> Used:
    before, at, processor = Counter(bench.platform.calls), time.monotonic(), time.process_time()
    await work()
    calls = bench.platform.calls - before
    asked = sum(calls[name] for name in ("submit", "list", "log", "stop"))
    return Used(asked, time.process_time() - processor, time.monotonic() - at)


def _listed(calls: Counter[str]) -> str:
    return ", ".join(f"{calls[name]} {name}" for name in ("submit", "list", "log", "stop") if calls[name])


def _now() -> str:
    return datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")


async def measure(jobs: int, seconds: float, *, quick: bool = False) -> list[tuple[str, str]]:
    """Measures all; returns what was measured, and what came out."""
    trials, trial_seconds, settling = (4, 0.2, 0.0) if quick else (20, 3.0, 90.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [
            *await requests_per_trial(folder / "each", trials, trial_seconds, reuse_mode=False),
            *await requests_per_trial(folder / "kept", trials, trial_seconds, reuse_mode=True),
            *await idle(folder / "idle", min(seconds, 10.0)),
            *await many_jobs(folder / "many", jobs, seconds, settling),
        ]


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description="Measures what following jobs of a platform costs.")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each state is measured")
    parser.add_argument("--quick", action="store_true", help="small numbers, to see that it works")
    options = parser.parse_args()
    jobs, seconds = (4, 1.0) if options.quick else (options.jobs, options.seconds)
    rows = asyncio.run(measure(jobs, seconds, quick=options.quick))
    width = max(len(what) for what, _ in rows)
    for what, result in rows:
        print(f"{what:<{width}}  {result}")


if __name__ == "__main__":
    main()
