"""What an experiment's machines have in common beside SSH, such as a storage that all of them reach."""

from __future__ import annotations

from typing import Protocol

from nni_manager.training.ssh.connection import SshConnection


class Site(Protocol):
    """Is told what happens to a machine. Every method may raise TrainingServiceError."""

    async def prepare(self, connection: SshConnection) -> None:
        """Gets a machine ready before anything else is done there; again when it lost things meanwhile."""

    async def leave(self, connection: SshConnection) -> None:
        """Undoes that, when the experiment needs the machine no more."""

    async def keep(self, trial_id: str) -> None:
        """Takes what a trial left, which was fetched to its folder here, before its end is told."""
