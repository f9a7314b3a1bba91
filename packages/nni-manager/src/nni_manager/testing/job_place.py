"""One experiment whose trials run in jobs of a platform, as contracts and tests need it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nni_config.processes import process_start_time

from nni_manager.engine.events import TrialWaits
from nni_manager.testing.training_service import GRACE_SECONDS
from nni_manager.training.host import HostChanged, HostEmit, HostEvent
from nni_manager.training.interface import Emit
from nni_manager.training.jobs.host import JobHost
from nni_manager.training.jobs.orders import TrialRules
from nni_manager.training.jobs.pace import Pace
from nni_manager.training.jobs.packing import Packed
from nni_manager.training.jobs.platform import JobPlatform
from nni_manager.training.jobs.pushed import PushedEvents
from nni_manager.training.shipping.sdk import pack_sdk

QUICK = Pace(
    list_seconds=0.1,
    most_list_seconds=0.2,
    files_seconds=0.02,
    job_seconds=0.02,
    settle_seconds=1.0,
    close_seconds=20.0,
    logs_seconds=0.05,
    retry_seconds=0.02,
    most_retry_seconds=0.1,
)
"""Of platforms that answer at once and storages that show all at once."""


class JobPlace:
    """A Place of nni_manager.testing.training_service.

    Attributes:
        experiment: The experiment's folder here.
        code: The folder that trials run in.
        jobs: The folder that jobs make theirs in.
        make_platform: Makes the platforms of hosts made from now on.
        pace: How often hosts made from now on look at things.
        options: More arguments of JobHost.
    """

    def __init__(
        self,
        folder: Path,
        make_platform: Callable[[], JobPlatform],
        *,
        experiment_id: str = "exp00001",
        pace: Pace = QUICK,
        pushed: PushedEvents | None = None,
        **rules: Any,
    ) -> None:
        """Makes the folders.

        Args:
            folder: An empty folder.
            make_platform: Makes a platform that is not open, whose jobs run on this machine.
            experiment_id: The experiment.
            pace: How often things are looked at.
            pushed: What jobs tell over the network, None for the storage alone.
            rules: Of TrialRules, beyond the command.
        """
        self.experiment, self.code, self.jobs = folder / "experiment", folder / "code", folder / "jobs"
        for path in (self.experiment, self.code):
            path.mkdir()
        self._folder = folder
        self.make_platform = make_platform
        self._experiment_id = experiment_id
        self.pace = pace
        self._pushed = pushed
        self._rules = rules
        self.options: dict[str, Any] = {}

    def service(self, command: str, emit: Emit) -> JobHost:
        """Returns a host that is not started, and tells nothing but what training services do."""

        def filtered(event: HostEvent) -> None:
            # Trials wait for their jobs, which is more than the contract speaks of.
            if not isinstance(event, (HostChanged, TrialWaits)):
                emit(event)

        return self.host(command, filtered)

    def host(self, command: str, emit: HostEmit, **rules: Any) -> JobHost:
        """Returns a host that is not started."""
        return JobHost(
            platform=self.make_platform(),
            experiment_id=self._experiment_id,
            experiment_directory=self.experiment,
            rules=TrialRules(command, grace_seconds=GRACE_SECONDS, **{**self._rules, **rules}),
            pack=self._pack,
            emit=emit,
            pace=self.pace,
            job_directory=str(self.jobs),
            **{"pushed": self._pushed, **self.options},
        )

    def write_code(self, name: str, text: str) -> None:
        """Puts a file into the folder that trials run in."""
        path = self.code / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def remove_code(self) -> None:
        """Removes that folder."""
        shutil.rmtree(self.code)

    def read(self, trial_id: str, name: str) -> bytes:
        """Returns the content of a file in a trial's folder here, if it has come, or in its job."""
        path = self.experiment / "trials" / trial_id / name
        if not path.exists():
            path = next(self._folder.glob(f"**/trials/{trial_id}/{name}"), path)
        return path.read_bytes()

    def is_alive(self, pid: int) -> bool:
        """Returns whether a process runs."""
        return process_start_time(pid) is not None

    async def _pack(self) -> Packed:
        # The code is used where it is, so that tests can change it while trials run.
        return Packed({"sdk": pack_sdk(self.experiment / "packed")}, str(self.code))
