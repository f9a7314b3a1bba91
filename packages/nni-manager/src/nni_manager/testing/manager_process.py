"""Managers as processes, started by their command line and called over gRPC."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from nni_config import ExperimentConfig
from nni_config.wire import config_to_message
from nni_proto.v1 import experiment_pb2, metric_pb2, trial_pb2
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1.experiment_service_pb2_grpc import ExperimentServiceStub

_PATIENCE = 60.0


@dataclass
class StartedManager:
    """A manager that is ready.

    Attributes:
        process: Its process.
        told: What it said on the ready pipe.
        stub: Makes calls, each with `metadata`.
        metadata: Has its token.
    """

    process: subprocess.Popen[str]
    told: dict[str, Any]
    stub: Any
    metadata: list[tuple[str, str]]

    @property
    def name(self) -> str:
        """The resource name of its experiment."""
        return f"experiments/{self.told['experiment_id']}"

    def call(self, method: str, request: Any) -> Any:
        """Makes a call."""
        return getattr(self.stub, method)(request, metadata=self.metadata, timeout=_PATIENCE)

    def create_and_start(self, config: ExperimentConfig) -> None:
        """Creates its experiment and starts it."""
        message = config_to_message(config)
        self.call(
            "CreateExperiment", pb.CreateExperimentRequest(request_id=str(uuid.uuid4()), config=message)
        )
        self.call("StartExperiment", pb.StartExperimentRequest(name=self.name))

    def resume(self, config: ExperimentConfig | None = None) -> experiment_pb2.Experiment:
        """Goes on with its experiment."""
        message = None if config is None else config_to_message(config)
        request = pb.ResumeExperimentRequest(name=self.name, config=message)
        return self.call("ResumeExperiment", request).experiment  # type: ignore[no-any-return]

    def stop(self) -> experiment_pb2.Experiment:
        """Stops its experiment, and waits until it has ended."""
        found = self.call("StopExperiment", pb.StopExperimentRequest(name=self.name)).experiment
        self.process.wait(_PATIENCE)
        return found  # type: ignore[no-any-return]

    def experiment(self) -> experiment_pb2.Experiment:
        """Returns its experiment."""
        return self.call("GetExperiment", pb.GetExperimentRequest(name=self.name)).experiment  # type: ignore[no-any-return]

    def status(self) -> str:
        """Returns the status of its experiment, without the prefix."""
        name: str = experiment_pb2.Experiment.Status.Name(self.experiment().status)
        return name.removeprefix("STATUS_")

    def until(self, *statuses: str, seconds: float = _PATIENCE) -> str:
        """Waits until its experiment has one of these statuses, and returns it."""
        deadline = time.monotonic() + seconds
        while (status := self.status()) not in statuses:
            assert time.monotonic() < deadline, (status, self.experiment())
            time.sleep(0.05)
        return status

    def trials(self) -> list[trial_pb2.Trial]:
        """Returns the trials of its experiment."""
        return list(self.call("ListTrials", pb.ListTrialsRequest(parent=self.name)).trials)

    def metrics(self) -> list[metric_pb2.Metric]:
        """Returns the results of its experiment."""
        return list(self.call("ListMetrics", pb.ListMetricsRequest(parent=self.name)).metrics)

    def kill(self) -> None:
        """Kills it, which it does not notice."""
        self.process.kill()
        self.process.wait(_PATIENCE)


@dataclass
class ManagerStarter:
    """Starts managers, one after another or side by side.

    Attributes:
        directory: Where the folders of experiments are.
        environment: The environment of the managers.
    """

    directory: Path
    environment: dict[str, str]
    _processes: list[subprocess.Popen[str]] = field(default_factory=list)
    _channels: list[grpc.Channel] = field(default_factory=list)

    def start(
        self,
        *arguments: str,
        wrapper: Sequence[str] = (),
        before: str = "",
        **environment: str,
    ) -> StartedManager:
        """Starts a manager and waits until it is ready.

        Args:
            arguments: What its command line has besides.
            wrapper: The command that runs it, if it is not to be run by itself.
            before: A program that its process runs before it is a manager.
            environment: What its environment has besides.
        """
        return self._started(*self._launch(arguments, wrapper, environment, before), None)

    def start_with_tls(
        self, certificate: Path, name: str, *arguments: str, before: str = ""
    ) -> StartedManager:
        """Starts a manager that listens with TLS, and waits until it is ready.

        Args:
            certificate: The file with its certificate.
            name: A name in that.
            arguments: What its command line has besides.
            before: A program that its process runs before it is a manager.
        """
        return self._started(*self._launch(arguments, (), {}, before), (certificate, name))

    def _started(
        self, told: dict[str, Any], process: subprocess.Popen[str], trusted: tuple[Path, str] | None
    ) -> StartedManager:
        assert "error" not in told and told, told
        channel = _channel(f"127.0.0.1:{told['port']}", trusted)
        self._channels.append(channel)
        metadata = [("authorization", f"Bearer {told['token']}")]
        return StartedManager(process, told, ExperimentServiceStub(channel), metadata)

    def failure(self, *arguments: str, wrapper: Sequence[str] = ()) -> str:
        """Starts a manager that cannot start, and returns why."""
        told, process = self._launch(arguments, wrapper, {})
        output, _ = process.communicate(timeout=_PATIENCE)
        assert set(told) == {"error"}, (told, output)
        assert process.returncode == 1
        assert "Traceback" not in output
        return str(told["error"])

    def clean(self) -> None:
        """Ends what a test leaves."""
        for channel in self._channels:
            channel.close()
        for process in self._processes:
            process.kill()
            process.communicate()

    def _launch(
        self,
        arguments: Sequence[str],
        wrapper: Sequence[str],
        environment: dict[str, str],
        before: str = "",
    ) -> tuple[dict[str, Any], subprocess.Popen[str]]:
        reading, writing = os.pipe()
        program = (
            f"{before}\nimport runpy; runpy.run_module('nni_manager', run_name='__main__', alter_sys=True)"
        )
        what = ["-c", program] if before else ["-m", "nni_manager"]
        command = [*wrapper, sys.executable, *what, "--port=0", f"--ready-fd={writing}"]
        process = subprocess.Popen(
            [*command, f"--experiments-directory={self.directory}", *arguments],
            pass_fds=[writing],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**self.environment, **environment},
        )
        self._processes.append(process)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            return json.loads(pipe.read() or "{}"), process


def _channel(address: str, trusted: tuple[Path, str] | None) -> grpc.Channel:
    if trusted is None:
        return grpc.insecure_channel(address)
    credentials = grpc.ssl_channel_credentials(trusted[0].read_bytes())
    return grpc.secure_channel(address, credentials, [("grpc.ssl_target_name_override", trusted[1])])


@contextmanager
def manager_starter(folder: Path) -> Iterator[ManagerStarter]:
    """Yields a starter whose experiments lie in a folder, and ends in the end what it started.

    Args:
        folder: The folder; the managers' runtime folder is in it, too, unless its path is too long for that.
    """
    runtime = Path("/tmp") / f"nni-test-{uuid.uuid4().hex[:8]}"
    runtime.mkdir(0o700)
    own = {name: value for name, value in os.environ.items() if not name.startswith("NNI_")}
    starter = ManagerStarter(folder / "experiments", {**own, "NNI_RUNTIME_DIR": str(runtime)})
    try:
        yield starter
    finally:
        starter.clean()
        subprocess.run(["rm", "-rf", str(runtime)], check=True)
