"""What a job is told so that it can reach the manager, if it can be reached at all."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from nni_manager.training.jobs.pushed import PushedEvents

MANAGER_VARIABLE = "NNI_SPOOL_MANAGER"
"""The variable in which `python -m nni.spool` finds that."""


@dataclass(frozen=True, slots=True)
class ManagerAccess:
    """How programs on other machines reach this manager.

    Attributes:
        experiment_id: The experiment of this manager.
        host: The host, where a configuration names none; "" if it listens for this machine alone.
        port: The port.
        url_prefix: The first part of every path, without slashes; "" for none.
        certificates: What its certificate is verified by, PEM.
        name: A name that the certificate has.
        token: Returns the token of a job.
    """

    experiment_id: str
    host: str
    port: int
    url_prefix: str
    certificates: str
    name: str
    token: Callable[[str], str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class DirectReports:
    """Lets jobs report at once, beside the shared storage.

    Whoever follows a job reads `files = pushed.open(job, files)` in place of the platform's files, sets
    `files.on_pushed` to what makes it look at them, gives the job `secrets`, and calls `pushed.forget` in the
    end.

    Attributes:
        pushed: What they told.
        access: How they reach the manager; None if it does not listen with TLS: nothing is sent then.
    """

    pushed: PushedEvents = field(default_factory=PushedEvents)
    access: ManagerAccess | None = None

    def why_not(self, nni_manager_ip: str | None) -> str:
        """Returns why jobs are told nothing of the manager and use the storage alone, "" if they are told.

        Args:
            nni_manager_ip: The host that the configuration names.
        """
        if self.access is None:
            return "the manager listens without TLS"
        if not self.access.host and not nni_manager_ip:
            return "the manager listens for this machine alone, and nni_manager_ip is not set"
        return ""

    def secrets(self, job: str, nni_manager_ip: str | None) -> dict[str, str]:
        """Returns the secret variables of a job, none if it is to use the storage alone.

        Args:
            job: The job.
            nni_manager_ip: The host that the configuration names.
        """
        if self.access is None or self.why_not(nni_manager_ip):
            return {}
        told = {
            "host": nni_manager_ip or self.access.host,
            "port": self.access.port,
            "prefix": self.access.url_prefix,
            "certificates": self.access.certificates,
            "name": self.access.name,
            "job": f"experiments/{self.access.experiment_id}/jobs/{job}",
            "token": self.access.token(job),
        }
        # Without signs that a platform or a shell might read in another way.
        return {MANAGER_VARIABLE: base64.b64encode(json.dumps(told).encode()).decode()}
