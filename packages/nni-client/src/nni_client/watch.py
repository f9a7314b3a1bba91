"""Follows what changes in an experiment."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from nni_proto.v1 import trial_pb2
from nni_proto.v1.experiment_service_pb2 import (
    GetExperimentRequest,
    ListTrialsRequest,
    WatchExperimentRequest,
    WatchExperimentResponse,
)

from nni_client.connection import Connection, grpc_is_safe, grpc_transport
from nni_client.errors import CallError, CallTimeoutError, ManagerUnreachableError
from nni_client.methods import GET_EXPERIMENT, LIST_TRIALS, WATCH_EXPERIMENT

if TYPE_CHECKING:
    from nni_client.grpc_transport import GrpcTransport

_STREAM_SECONDS = 600.0
"""A stream is opened anew after this time; one whose other end was lost without a word would never end."""

_POLL_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


class Watcher:
    """Receives changes in a thread of its own while its block lasts. Lost connections are opened again."""

    def __init__(self, connection: Connection, experiment_name: str, after_revision: int = 0) -> None:
        """Prepares to watch.

        Args:
            connection: The manager.
            experiment_name: The experiment, experiments/{experiment}.
            after_revision: What changed up to this revision is not received.
        """
        self._connection = connection
        self._name = experiment_name
        self._revision = after_revision
        self._changes: queue.Queue[WatchExperimentResponse | CallError] = queue.Queue(maxsize=64)
        self._ending = threading.Event()
        self._opening = threading.Lock()
        self._transport: GrpcTransport | None = None
        self._thread = threading.Thread(target=self._receive, name="nni-watch", daemon=True)
        self._problem: CallError | None = None

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._opening:
            self._ending.set()
            if self._transport is not None:
                self._transport.close()
        self._thread.join()

    @property
    def problem(self) -> CallError | None:
        """Why nothing is received at the moment; None while all is well."""
        return self._problem

    def next(self, timeout: float) -> WatchExperimentResponse | None:
        """Returns the next change, None when there is none for `timeout` seconds.

        Raises:
            CallError: The manager refuses to be watched.
        """
        try:
            change = self._changes.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(change, CallError):
            raise change
        return change

    def _receive(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        source = self._streamed if grpc_is_safe() else self._polled
        while not self._ending.is_set():
            try:
                for change in source():
                    self._problem = None
                    pause = _FIRST_PAUSE_SECONDS
                    self._revision = change.revision
                    self._pass_on(change)
            except CallTimeoutError:
                continue
            except ManagerUnreachableError as error:
                self._problem = error
            except CallError as error:
                self._pass_on(error)
                return
            self._ending.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _streamed(self) -> Iterator[WatchExperimentResponse]:
        with self._opening:
            if self._ending.is_set():
                return
            transport = self._transport = grpc_transport(self._connection.address)
        try:
            request = WatchExperimentRequest(name=self._name, after_revision=self._revision)
            yield from transport.stream(WATCH_EXPERIMENT, request, _STREAM_SECONDS)
        finally:
            transport.close()

    def _polled(self) -> Iterator[WatchExperimentResponse]:
        # After a fork gRPC cannot be used, and one call a second does as well.
        with self._connection.session() as session:
            while not self._ending.is_set():
                experiment = session.call(GET_EXPERIMENT, GetExperimentRequest(name=self._name)).experiment
                if experiment.revision > self._revision:
                    failed = ListTrialsRequest(
                        parent=self._name, page_size=1, statuses=[trial_pb2.Trial.STATUS_FAILED]
                    )
                    yield WatchExperimentResponse(
                        revision=experiment.revision,
                        experiment=experiment,
                        trials=session.call(LIST_TRIALS, failed).trials,
                    )
                self._ending.wait(_POLL_SECONDS)

    def _pass_on(self, change: WatchExperimentResponse | CallError) -> None:
        while not self._ending.is_set():
            try:
                return self._changes.put(change, timeout=0.1)
            except queue.Full:
                continue
        return None
