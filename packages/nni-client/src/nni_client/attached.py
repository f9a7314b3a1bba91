"""The manager that an Experiment is attached to while it runs."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass, field

from nni_config.local_state import ManagerRecord
from nni_config.processes import is_same_process

from nni_client.connection import Connection
from nni_client.experiment_log import ExperimentLog
from nni_client.manager_process import ManagerProcess

_POLL_SECONDS = 0.02


@dataclass
class AttachedManager:
    """A manager that runs, and what this process has to do with it.

    Attributes:
        connection: The way to it.
        process: Its process, when this process started it.
        record: What it left on this machine, when it was found there.
        log: The client's log in the experiment's folder, when this process started it.
        owner: The process that attached it; one forked off it is a guest.
        is_view: Whether it only shows the experiment.
    """

    connection: Connection
    process: ManagerProcess | None = None
    record: ManagerRecord | None = None
    log: ExperimentLog | None = None
    owner: int = field(default_factory=os.getpid)
    is_view: bool = False

    @property
    def is_gone(self) -> bool:
        """Whether it has ended; of one on another machine, whether nothing listens there any more."""
        if self.process is not None:
            return self.process.has_ended
        if self.record is not None:
            return not is_same_process(self.record.pid, self.record.process_start_time)
        address = self.connection.address
        try:
            socket.create_connection((address.host, address.port), timeout=1.0).close()
        except OSError:
            return True
        return False

    def ends_within(self, seconds: float) -> bool:
        """Waits until it is gone and returns True, or False after so many seconds."""
        deadline = time.monotonic() + seconds
        while not self.is_gone:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def close(self) -> None:
        """Closes what this process holds open for it."""
        if self.log is not None:
            self.log.close()
