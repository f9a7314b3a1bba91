"""The way that an advisor's commands take to the manager."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from nni_manager.algorithms.advisor.command_type import CommandType

__all__ = ["CommandType", "TunerCommandChannel"]

_BY_HAND = "ws://_unittest_"

Sink = Callable[[CommandType, Any], None]


class TunerCommandChannel:
    """Passes commands on to the process that runs the advisor.

    Outside an experiment, and until the advisor is made, they are kept.

    Args:
        url: None, or an address that begins with "ws://_unittest_" and means nothing.

    Attributes:
        unsent: The commands that were kept, with their data.
    """

    def __init__(self, url: str | None = None) -> None:
        self.unsent: list[tuple[CommandType, Any]] = []
        self._url = url
        self._sink: Sink | None = None
        self._lock = threading.RLock()

    def connect(self) -> None:
        """Does nothing: the manager connects to an advisor itself.

        Raises:
            ConnectionError: There is an address, and nobody to be reached at it.
        """
        if self._url is not None and not self._url.startswith(_BY_HAND):
            raise ConnectionError(
                f"an advisor opens no connection in this version, and so not to {self._url}: "
                "leave command_channel_url out"
            )

    def disconnect(self) -> None:
        """Does nothing."""

    def attach(self, sink: Sink) -> None:
        """Passes commands on from now on, first those that were kept."""
        with self._lock:
            for command, data in self.unsent:
                sink(command, data)
            self.unsent.clear()
            self._sink = sink

    def send_initialized(self) -> None:
        """Says that the search space was taken."""
        self._send(CommandType.Initialized, "")

    def send_trial(
        self,
        parameter_id: Any,
        parameters: Any,
        parameter_source: str = "algorithm",
        parameter_index: int = 0,
    ) -> None:
        """Hands in a trial.

        Args:
            parameter_id: The advisor's own id of the parameters, any JSON value.
            parameters: The parameters.
            parameter_source: "algorithm".
            parameter_index: 0.
        """
        record = {
            "parameter_id": parameter_id,
            "parameters": parameters,
            "parameter_source": parameter_source,
            "parameter_index": parameter_index,
        }
        self._send(CommandType.NewTrialJob, json.dumps(record))

    def send_no_more_trial_jobs(self) -> None:
        """Says that there are no more trials, at least for now."""
        self._send(CommandType.NoMoreTrialJobs, "")

    def _send(self, command: CommandType, data: Any) -> None:
        sink = self._sink
        if sink is None:
            with self._lock:
                sink = self._sink
                if sink is None:
                    self.unsent.append((command, data))
                    return
        sink(command, data)

    def _receive(self) -> tuple[CommandType | None, str | None]:
        """Returns that nothing comes: in an experiment the handlers are called by who runs the advisor."""
        return None, None
