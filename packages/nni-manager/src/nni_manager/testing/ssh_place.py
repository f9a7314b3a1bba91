"""One experiment's folder here and its folder on a machine behind SSH, as contracts and tests need them."""

from __future__ import annotations

import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

from nni_config.processes import process_start_time

from nni_manager.testing.ssh_server import SshServer
from nni_manager.testing.training_service import GRACE_SECONDS, PATIENCE
from nni_manager.training.host import HostEmit
from nni_manager.training.shipping.code import pack_code
from nni_manager.training.shipping.ship import Shipped, ship
from nni_manager.training.ssh.connection import SshConnection
from nni_manager.training.ssh.endings import OutputRules
from nni_manager.training.ssh.host import SshHost

MIRROR_SECONDS = 0.05


class SshPlace:
    """A Place of nni_manager.testing.training_service.

    Attributes:
        experiment: The experiment's folder here.
        remote: Its folder on the machine, as it is seen from here.
        user: Who signs in.
    """

    def __init__(
        self,
        folder: Path,
        server: SshServer,
        *,
        user: str = "worker",
        experiment_id: str = "exp00001",
        **settings: Any,
    ) -> None:
        """Makes the folders here.

        Args:
            folder: An empty folder.
            server: The machine.
            user: Who signs in.
            experiment_id: The experiment.
            settings: Of every SshHost.
        """
        self.experiment = folder / "experiment"
        self.code = folder / "code"
        self.experiment.mkdir()
        self.code.mkdir()
        self.user = user
        self.remote = server.home(user) / "nni-experiments" / experiment_id
        self._server = server
        self._experiment_id = experiment_id
        self._settings = settings
        self._code_folders: list[Path] = []

    def service(self, command: str, emit: HostEmit, **settings: Any) -> SshHost:
        """Returns a host that is not started."""
        archive = pack_code(self.code, self.experiment / "code", experiments_directory=self.experiment.parent)
        put_there = partial(_ship, archive)
        chosen: dict[str, Any] = {
            "target": self._server.target(self.user),
            "outputs": OutputRules(mirror_seconds=MIRROR_SECONDS),
            "grace_seconds": GRACE_SECONDS,
            **self._settings,
            **settings,
        }
        return SshHost(
            ship=put_there,
            experiment_id=self._experiment_id,
            experiment_directory=self.experiment,
            command=command,
            emit=emit,
            **chosen,
        )

    def write_code(self, name: str, text: str) -> None:
        """Puts a file into the code folder here, and wherever it was sent to."""
        self._note_code_folders()
        for folder in (self.code, *self._code_folders):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def remove_code(self) -> None:
        """Removes the code that was sent."""
        self._note_code_folders()
        for folder in self._code_folders:
            shutil.rmtree(folder)

    def read(self, trial_id: str, name: str) -> bytes:
        """Returns the content of a file in a trial's folder here, if it has come, or there."""
        path = self.experiment / "trials" / trial_id / name
        return (path if path.exists() else self.remote / "trials" / trial_id / name).read_bytes()

    def is_alive(self, pid: int) -> bool:
        """Returns whether a process runs."""
        return process_start_time(pid) is not None

    def processes(self) -> list[int]:
        """Returns the processes on the machine that have to do with the experiment's folder."""
        return self._server.processes(f"nni-experiments/{self._experiment_id}")

    def left(self) -> list[int]:
        """Waits until there are none, and returns those that there are in the end."""
        deadline = time.monotonic() + PATIENCE
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left

    def _note_code_folders(self) -> None:
        sent = [path for path in (self.remote / "code").glob("*") if path.is_dir()]
        self._code_folders += [path for path in sent if path not in self._code_folders]
        self._code_folders = [path for path in self._code_folders if path.parent.is_dir()]


async def _ship(archive: Any, connection: SshConnection, directory: str, python: str) -> Shipped:
    return await ship(connection, archive, directory, python)
