"""Calls of other managers of this user on this machine."""

from __future__ import annotations

import asyncio
import ipaddress
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from nni_config.local_state import ManagerRecord
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1.experiment_service_pb2_grpc import ExperimentServiceStub

from nni_manager.experiments.errors import WrongExperimentStatusError

_SECONDS_TO_ANSWER = 5.0
_OPTIONS = [
    # It is on this machine: a proxy of the environment is not for it.
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
]


async def create_sign_in_code(
    manager: ManagerRecord, request: pb.CreateSignInCodeRequest
) -> pb.CreateSignInCodeResponse:
    """Has another manager make a code that signs a browser in to its page.

    Args:
        manager: The manager.
        request: The request, passed on as it is.

    Raises:
        WrongExperimentStatusError: It does not answer, or it listens to the network without TLS.
    """
    name = f"the manager of experiment {manager.experiment_id!r} (process {manager.pid}, port {manager.port})"
    if not manager.ca_file and not ipaddress.ip_address(manager.local_host).is_loopback:
        raise WrongExperimentStatusError(
            f"{name} listens at {manager.local_host} without TLS, where no token is sent to it; see: "
            f"nnictl webui url {manager.experiment_id}"
        )
    try:
        async with await _channel(manager) as channel:
            stub: Any = ExperimentServiceStub(channel)
            response: pb.CreateSignInCodeResponse = await stub.CreateSignInCode(
                request,
                metadata=(("authorization", f"Bearer {manager.token}"),),
                timeout=_SECONDS_TO_ANSWER,
            )
            return response
    except grpc.aio.AioRpcError as error:
        raise WrongExperimentStatusError(f"{name} gives no code: {error.details()}") from error
    except OSError as error:
        raise WrongExperimentStatusError(f"{name} cannot be verified: {error}") from error


async def _channel(manager: ManagerRecord) -> grpc.aio.Channel:
    host = manager.local_host
    address = f"[{host}]:{manager.port}" if ":" in host else f"{host}:{manager.port}"
    if not manager.ca_file:
        return grpc.aio.insecure_channel(address, options=_OPTIONS)
    certificates = await asyncio.to_thread(Path(manager.ca_file).read_bytes)
    options = [*_OPTIONS, ("grpc.ssl_target_name_override", manager.tls_name or host)]
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(certificates), options=options)
