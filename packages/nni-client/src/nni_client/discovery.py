"""Finds running managers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nni_config.local_state import ManagerRecord, find_manager_by_port
from nni_proto.resource_names import experiment_name, parse_experiment_name
from nni_proto.v1.experiment_service_pb2 import GetExperimentRequest

from nni_client.address import ManagerAddress, host_to_call, parse_address
from nni_client.connection import Connection
from nni_client.errors import AccessDeniedError
from nni_client.methods import GET_EXPERIMENT

_ITS_OWN = "-"


@dataclass(frozen=True)
class FoundManager:
    """A manager that was started elsewhere.

    Attributes:
        address: Where it listens.
        experiment_id: The experiment that it runs.
        experiments_directory: The folder that holds the experiment's folder; None on another machine.
        record: What it left on this machine; None on another machine.
    """

    address: ManagerAddress
    experiment_id: str
    experiments_directory: Path | None = None
    record: ManagerRecord | None = None


def from_record(record: ManagerRecord) -> FoundManager:
    """Returns the manager that left a record on this machine."""
    address = ManagerAddress(
        host_to_call(record.bind), record.port, record.token, record.ca_file, record.tls_name
    )
    return FoundManager(address, record.experiment_id, Path(record.directory).parent, record)


def find_manager(
    port: int | str, token: str | None, experiment_id: str | None, ca_file: str = ""
) -> FoundManager:
    """Returns the manager behind a port of this machine, or of another machine.

    Args:
        port: The port, or "HOST:PORT".
        token: The manager's token; None looks for it on this machine.
        experiment_id: The experiment; None for whatever is there.
        ca_file: With a token, the certificates that verify a manager that listens with TLS.

    Raises:
        ValueError: The port is malformed.
        RuntimeError: No manager of this user listens there, or none that knows the token.
    """
    host, number = parse_address(str(port))
    if token is not None:
        address = ManagerAddress(host, number, token, ca_file)
        return FoundManager(address, _experiment_at(address, experiment_id))
    is_here = ManagerAddress(host, number, "").is_loopback
    record = find_manager_by_port(number) if is_here else None
    if record is None:
        hint = "" if is_here else "; for a manager of another machine give its token"
        raise RuntimeError(f"No experiment of this user is running on port {port}{hint}")
    if experiment_id not in (None, record.experiment_id):
        raise RuntimeError(f"Port {port} belongs to experiment {record.experiment_id}, not {experiment_id}")
    return from_record(record)


def _experiment_at(address: ManagerAddress, experiment_id: str | None) -> str:
    """Returns the id of the experiment that a manager runs, which is the given one unless that is None."""
    request = GetExperimentRequest(name=experiment_name(experiment_id or _ITS_OWN))
    try:
        experiment = Connection(address).call(GET_EXPERIMENT, request).experiment
    except AccessDeniedError:
        raise AccessDeniedError(
            f"The manager at {address.authority} does not accept this token. Its own is in the file "
            "manager.json in the experiment's folder, on the machine that it runs on"
        ) from None
    return parse_experiment_name(experiment.name)
