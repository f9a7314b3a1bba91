"""Runs trials on this machine, by a courier (design.md 7)."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path

from nni_manager.engine.statuses import MetricKind
from nni_manager.training import courier_messages as messages
from nni_manager.training.courier_connection import END_SECONDS, CourierConnection, cancelled
from nni_manager.training.held_up import tell_when_held_up
from nni_manager.training.interface import Emit, TrainingServiceError, TrialRun
from nni_manager.training.local.courier_process import LocalCourierProcess, open_courier
from nni_manager.training.local.socket_path import socket_path
from nni_manager.training.trial_environment import path_with_own_interpreter, python_path, trial_environment


class LocalTrainingService:
    """Keeps the promises of training/interface.py for trials on this machine.

    Attributes:
        beats: Whether it tells when the manager was held up; one that is a host among others need not.
    """

    beats = True

    def __init__(
        self,
        *,
        experiment_id: str,
        experiment_directory: Path,
        code_directory: Path,
        command: str,
        emit: Emit,
        numeric_kinds: Collection[MetricKind] = (),
        trial_gpu_number: int | None = None,
        stop_signal: int = signal.SIGINT,
        grace_seconds: float = 5.0,
        reuse_mode: bool = False,
    ) -> None:
        """Makes a service that has done nothing yet.

        Args:
            experiment_id: The experiment.
            experiment_directory: Its folder, which exists.
            code_directory: The trials' working directory.
            command: The trials' command, run by a shell.
            emit: Gets the events.
            numeric_kinds: The kinds of results that have to be numbers, or dicts with one under "default".
            trial_gpu_number: How many GPUs a trial uses, None if that is not said.
            stop_signal: The first signal to a trial that is to stop.
            grace_seconds: How long a trial has after it, and after the SIGTERM that follows.
            reuse_mode: Whether a process that asks for another trial gets one.
        """
        self._experiment_id = experiment_id
        self._directory = experiment_directory.absolute()
        self._code_directory = str(code_directory.absolute())
        self._command = command
        self._numeric_kinds = numeric_kinds
        self._stop_signal = int(stop_signal)
        self._grace_seconds = grace_seconds
        self._reuse_mode = reuse_mode
        self._socket_path = ""
        self._heartbeat: asyncio.Task[None] | None = None
        self._environment = trial_environment("local", self._code_directory, trial_gpu_number)
        self._connection = CourierConnection(self._open_courier, emit)

    async def start(self) -> None:
        """Starts the courier.

        Raises:
            TrainingServiceError: It cannot be started.
        """
        try:
            await self._link_sdk()
        except OSError as error:
            raise TrainingServiceError(f"the trials' SDK cannot be put in place: {error}") from error
        if self._reuse_mode:
            self._socket_path = await asyncio.to_thread(socket_path, self._directory)
        await self._connection.open()
        if self.beats:
            self._heartbeat = asyncio.create_task(tell_when_held_up(), name="heartbeat")

    def submit(self, run: TrialRun) -> None:
        """Starts a trial soon."""
        command = messages.launch(
            run, self._command, self._code_directory, self._environment, self._numeric_kinds
        )
        self._connection.launch(run.trial_id, run.attempt, command)

    def adopt(self, trial_id: str, attempt: int, acknowledged_offset: int) -> None:
        """Watches a trial submitted before a restart; one that never started ends with a problem."""
        self._connection.adopt(trial_id, attempt, acknowledged_offset)

    def cancel(self, trial_id: str, attempt: int) -> None:
        """Stops a trial."""
        self._connection.cancel(trial_id, attempt, self._stop_signal, self._grace_seconds)

    def acknowledge(self, trial_id: str, attempt: int, offset: int) -> None:
        """Says that a trial's results are stored up to this position of its report file."""
        self._connection.acknowledge(trial_id, attempt, offset)

    def release(self) -> None:
        """Says that no trial is coming: processes that wait for one may end."""
        if self._reuse_mode:
            self._connection.release()

    def output_directory(self, trial_id: str) -> str:
        """Returns the folder of a trial's output."""
        return str(self._directory / "trials" / trial_id)

    async def close(self) -> None:
        """Ends the courier, and processes that wait for a trial. Running trials go on."""
        if self._heartbeat is not None:
            await cancelled(self._heartbeat)
        if self._reuse_mode:
            # A process that waits has two grace periods before it is killed.
            await self._connection.close(END_SECONDS + 2 * self._grace_seconds + 10.0, may_have_waiting=True)
        else:
            await self._connection.close()

    async def _open_courier(self) -> LocalCourierProcess:
        return await open_courier(
            self._experiment_id,
            self._directory,
            self._grace_seconds,
            self._inherited_environment(),
            self._socket_path,
        )

    async def _link_sdk(self) -> None:
        await asyncio.to_thread(_link_sdk, self._directory / "sdk")

    def _inherited_environment(self) -> dict[str, str]:
        """Returns what trials inherit, in which our SDK is found."""
        environment = dict(os.environ)
        environment["PATH"] = path_with_own_interpreter(environment)
        environment["PYTHONPATH"] = python_path(self._directory / "sdk", environment)
        return environment


def _link_sdk(folder: Path) -> None:
    """Makes `<folder>/nni` a link to the package that trials import."""
    spec = find_spec("nni")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package nni is not installed beside the manager; pip install nni-trial")
    folder.mkdir(mode=0o700, exist_ok=True)
    unfinished = folder / f".nni.{os.getpid()}"
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(Path(spec.origin).resolve().parent, target_is_directory=True)
    unfinished.replace(folder / "nni")
