"""Measures the manager's service: results stored a second, and whole trials a second, both through gRPC.

    .venv/bin/python tools/benchmark_service.py [--trials 20000] [--reporters 64] [--flush-ms 0]

The manager is the real one with SQLite, on its real port; its trials are simulated. The process that reports
for them runs on the same machine, so both share its processors. The reference is the number of calls a second
that do nothing on the same port by the same client: `per call` says how much more than one call something is.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import socket
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc.aio
from nni_manager.engine.events import TrialEnded, TrialStarted
from nni_manager.experiments.job_calls import JobCalls
from nni_manager.experiments.many_experiments import ManyExperiments
from nni_manager.experiments.parts import Parts
from nni_manager.experiments.service import ExperimentService
from nni_manager.rpc.calls import guarded_calls
from nni_manager.server.front import serving
from nni_manager.server.listener import listen
from nni_manager.server.sign_in_codes import OneTimeCodes
from nni_manager.server.tokens import Tokens
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.tensor_board.boards import TensorBoards
from nni_manager.testing.running_port import example_config
from nni_manager.testing.simulated_algorithm import SimulatedAlgorithm
from nni_manager.testing.simulated_training import SimulatedTrainingService
from nni_manager.training.interface import Emit, TrialRun
from nni_manager.training.jobs.pushed import PushedEvents
from nni_proto import values
from nni_proto.v1 import experiment_service_pb2 as experiments
from nni_proto.v1 import metric_pb2, tensor_board_pb2
from nni_proto.v1 import trial_runtime_service_pb2 as runtime
from nni_proto.v1.experiment_pb2 import Experiment
from nni_proto.v1.experiment_service_pb2_grpc import ExperimentServiceStub
from nni_proto.v1.trial_runtime_service_pb2_grpc import TrialRuntimeServiceStub
from workspace.progress import table

if TYPE_CHECKING:
    from nni_proto.v1.experiment_service_pb2_grpc import ExperimentServiceAsyncStub
    from nni_proto.v1.trial_runtime_service_pb2_grpc import TrialRuntimeServiceAsyncStub

EXPERIMENT = "bench"
NAME = f"experiments/{EXPERIMENT}"
TOKENS = Tokens(b"a secret of a benchmark, 32 bytes")
METADATA = (("authorization", f"Bearer {TOKENS.manager()}"),)
REPORTS_PER_CALL = 100
SECONDS = 3.0


class SocketTrainingService(SimulatedTrainingService):
    """Trials that the other process acts out: it is sent their ids, and says which of them have ended."""

    def __init__(self, emit: Emit, link: socket.socket) -> None:
        super().__init__(emit, None)
        self._link = link
        self._reading: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def start(self) -> None:
        """Connects to the other process."""
        reader, self._writer = await asyncio.open_connection(sock=self._link)
        self._reading = asyncio.create_task(self._read(reader))

    def submit(self, run: TrialRun) -> None:
        """Starts a trial."""
        self.runs[run.trial_id] = run
        self._emit(TrialStarted(run.trial_id, run.attempt, time.time()))
        assert self._writer is not None
        self._writer.write(f"{run.trial_id}\n".encode())

    async def close(self) -> None:
        """Lets the other process go."""
        if self._reading is not None and self._writer is not None:
            self._reading.cancel()
            self._writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            trial_id = line.decode().strip()
            self._emit(TrialEnded(trial_id, self.runs.pop(trial_id).attempt, time.time(), exit_code=0))


async def serve(port: int, link: socket.socket, folder: Path, flush_seconds: float) -> None:
    """Runs a manager until its experiment is stopped."""

    def open_storage(path: Path) -> Any:
        storage = open_sqlite_storage(path)
        if not flush_seconds:
            return storage
        commit = storage.commit

        def slow_commit(writes: Any) -> int:
            time.sleep(flush_seconds)
            return commit(writes)

        storage.commit = slow_commit  # type: ignore[method-assign]
        return storage

    parts = Parts(
        open_storage=open_storage,
        make_training_service=lambda config, experiment_id, path, emit: SocketTrainingService(emit, link),
        make_algorithm=SimulatedAlgorithm,
        trial_environment=lambda experiment_id, trial_id: {},
    )
    service = ExperimentService(folder, parts)
    codes = OneTimeCodes("http://127.0.0.1/")
    listener = listen("127.0.0.1", port, encrypted=False)
    experiments = ManyExperiments(service, EXPERIMENT, folder, open_storage)
    calls = guarded_calls(
        experiments, TOKENS, codes, EXPERIMENT, TensorBoards(folder), JobCalls(EXPERIMENT, PushedEvents())
    )

    def no_page() -> Any:
        raise RuntimeError("the benchmark has no page")

    with tempfile.TemporaryDirectory(prefix="nni-benchmark-") as sockets:
        async with serving(listener, None, Path(sockets), calls, no_page):
            await service.closed.wait()


def run_manager(port: int, link: socket.socket, folder: Path, flush_seconds: float) -> None:
    """Is the manager's process."""
    asyncio.run(serve(port, link, folder, flush_seconds))


@asynccontextmanager
async def manager(
    flush_seconds: float, trials: int, concurrency: int
) -> AsyncIterator[tuple[grpc.aio.Channel, asyncio.StreamReader, asyncio.StreamWriter]]:
    """Runs a manager with an experiment that was created, and yields the ways to it."""
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="nni-benchmark-") as folder:
        Path(folder, "code").mkdir()
        process = multiprocessing.get_context("spawn").Process(
            target=run_manager, args=(port, theirs, Path(folder), flush_seconds)
        )
        process.start()
        theirs.close()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                await asyncio.wait_for(channel.channel_ready(), 30)
                config = example_config()
                config.max_trial_number, config.trial_concurrency = trials, concurrency
                config.trial_code_directory = f"{folder}/code"
                stub = experiment_stub(channel)
                await stub.CreateExperiment(
                    experiments.CreateExperimentRequest(
                        config=config, experiment_id=EXPERIMENT, request_id=str(uuid.uuid4())
                    ),
                    metadata=METADATA,
                )
                reader, writer = await asyncio.open_connection(sock=ours)
                yield channel, reader, writer
                await stub.StopExperiment(experiments.StopExperimentRequest(name=NAME), metadata=METADATA)
                writer.close()
            await asyncio.to_thread(process.join, 30)
        finally:
            process.kill()


def experiment_stub(channel: grpc.aio.Channel) -> ExperimentServiceAsyncStub:
    """Returns the experiment's calls, typed as those of an asynchronous channel."""
    return ExperimentServiceStub(channel)  # type: ignore[return-value]


def runtime_stub(channel: grpc.aio.Channel) -> TrialRuntimeServiceAsyncStub:
    """Returns the calls of a trial, typed as those of an asynchronous channel."""
    return TrialRuntimeServiceStub(channel)  # type: ignore[return-value]


def reports(
    count: int, first: int, reporter: str, kind: metric_pb2.MetricKind.ValueType
) -> list[metric_pb2.MetricReport]:
    """Returns reports of one process."""
    return [
        metric_pb2.MetricReport(
            kind=kind, reporter=reporter, number=first + index, value=values.to_message(index / 7)
        )
        for index in range(count)
    ]


async def plain_calls(channel: grpc.aio.Channel, callers: int) -> float:
    """Returns how many calls a second are made that touch neither the engine nor the storage."""
    stub = experiment_stub(channel)
    request = tensor_board_pb2.ListTensorBoardsRequest(parent=NAME)
    deadline = time.monotonic() + SECONDS

    async def call() -> int:
        count = 0
        while time.monotonic() < deadline:
            await stub.ListTensorBoards(request, metadata=METADATA)
            count += 1
        return count

    return sum(await asyncio.gather(*(call() for _ in range(callers)))) / SECONDS


async def stored_results(channel: grpc.aio.Channel, reader: asyncio.StreamReader, reporters: int) -> float:
    """Returns how many intermediate results a second are stored, each reporter with a trial of its own."""
    stub = runtime_stub(channel)
    await experiment_stub(channel).StartExperiment(
        experiments.StartExperimentRequest(name=NAME), metadata=METADATA
    )
    trial_ids = [(await reader.readline()).decode().strip() for _ in range(reporters)]
    deadline = time.monotonic() + SECONDS

    async def report(trial_id: str) -> int:
        count = 0
        while time.monotonic() < deadline:
            batch = reports(REPORTS_PER_CALL, count, "1-a", metric_pb2.METRIC_KIND_INTERMEDIATE)
            request = runtime.ReportMetricsRequest(trial=f"{NAME}/trials/{trial_id}", reports=batch)
            count += (await stub.ReportMetrics(request, metadata=METADATA)).stored_count
        return count

    return sum(await asyncio.gather(*map(report, trial_ids))) / SECONDS


async def whole_trials(
    channel: grpc.aio.Channel, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, trials: int
) -> float:
    """Returns how many trials a second are created, report a final result, and end."""
    stub = runtime_stub(channel)
    experiment = experiment_stub(channel)
    begin = time.monotonic()
    await experiment.StartExperiment(experiments.StartExperimentRequest(name=NAME), metadata=METADATA)

    async def act(trial_id: str) -> None:
        request = runtime.ReportMetricsRequest(
            trial=f"{NAME}/trials/{trial_id}", reports=reports(1, 0, "1-a", metric_pb2.METRIC_KIND_FINAL)
        )
        await stub.ReportMetrics(request, metadata=METADATA)
        writer.write(f"{trial_id}\n".encode())

    acting = [asyncio.create_task(act((await reader.readline()).decode().strip())) for _ in range(trials)]
    await asyncio.gather(*acting)
    while True:
        response = await experiment.GetExperiment(
            experiments.GetExperimentRequest(name=NAME), metadata=METADATA
        )
        if response.experiment.status == Experiment.STATUS_DONE:
            return trials / (time.monotonic() - begin)
        await asyncio.sleep(0.01)


async def measure(trials: int, reporters: int, flush_seconds: float) -> str:
    """Returns the table."""
    async with manager(flush_seconds, trials, reporters) as (channel, reader, _):
        calls = await plain_calls(channel, reporters)
        results = await stored_results(channel, reader, reporters)
    async with manager(flush_seconds, trials, reporters) as (channel, reader, writer):
        whole = await whole_trials(channel, reader, writer, trials)
    rows = [
        ["", "a second", "per call"],
        ["calls that do nothing", f"{calls:,.0f}", "1.00"],
        [f"results stored, {REPORTS_PER_CALL} a call", f"{results:,.0f}", f"{results / calls:.2f}"],
        ["trials created, reported, ended", f"{whole:,.0f}", f"{whole / calls:.2f}"],
    ]
    return table(rows)


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000, help="how many whole trials (10000)")
    parser.add_argument("--reporters", type=int, default=64, help="how many trials at a time (64)")
    parser.add_argument("--flush-ms", type=float, default=0.0, help="added to each commit, as a slow disk")
    options = parser.parse_args()
    print(asyncio.run(measure(options.trials, options.reporters, options.flush_ms / 1000)))


if __name__ == "__main__":
    main()
