"""Calls over gRPC."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from nni_client.address import ManagerAddress
from nni_client.errors import (
    CallError,
    CallTimeoutError,
    ManagerUnreachableError,
    error_for_reason,
)
from nni_client.methods import Method, Request, Response
from nni_client.settings import HOW_CALL_LIMITS_ARE_SET
from nni_client.trust import trusted_certificates

MESSAGE_LIMIT = 64 * 1024 * 1024
"""How many bytes a message may have, both ways."""

_OPTIONS = [
    # A manager is on this machine or named by its address: a proxy of the environment is not for it.
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    # Channels to the same address would share one connection, a broken one too.
    ("grpc.use_local_subchannel_pool", 1),
]


def begin() -> None:
    """Has gRPC read its settings, which it does with the first channel."""
    grpc.insecure_channel("127.0.0.1:1").close()


class GrpcTransport:
    """A gRPC channel, for a short while."""

    def __init__(self, address: ManagerAddress) -> None:
        self._address = address
        self._metadata = (("authorization", f"Bearer {address.token}"),)
        self._channel = _channel(address)

    def call(self, method: Method[Request, Response], request: Request, timeout: float | None) -> Response:
        """Makes a call; raises what `errors` has."""
        stub = self._channel.unary_unary(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.response.FromString,
        )
        try:
            response: Response = stub(request, timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            raise self._translate(error, method.name, timeout) from None
        return response

    def stream(
        self, method: Method[Request, Response], request: Request, timeout: float | None
    ) -> Iterator[Response]:
        """Makes a call that is answered by many messages, and yields them; raises what `errors` has."""
        stub = self._channel.unary_stream(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.response.FromString,
        )
        call = stub(request, timeout=timeout, metadata=self._metadata)
        try:
            yield from call
        except grpc.RpcError as error:
            raise self._translate(error, method.name, timeout) from None
        finally:
            call.cancel()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Closes the channel; calls under way end."""
        self._channel.close()

    def _translate(self, error: grpc.RpcError, name: str, timeout: float | None) -> CallError:
        code: grpc.StatusCode = error.code()
        details: str = error.details() or code.name
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
        for detail in status.details if status is not None else ():
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info) and info.domain == "nni":
                return error_for_reason(info.reason, details)
        where = self._address.authority
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            limit = "its limit" if timeout is None else f"{timeout:g} s"
            return CallTimeoutError(
                f"The manager at {where} did not answer {name} within {limit}. {HOW_CALL_LIMITS_ARE_SET}"
            )
        if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
            return ManagerUnreachableError(f"No manager answers at {where}: {details}")
        if code is grpc.StatusCode.UNIMPLEMENTED:
            return CallError(f"The manager at {where} does not know {name}: it is of another version.")
        return CallError(f"{name} failed at {where}: {code.name}: {details}")


def _channel(address: ManagerAddress) -> grpc.Channel:
    if not address.ca_file:
        return grpc.insecure_channel(address.authority, options=_OPTIONS)
    credentials = grpc.ssl_channel_credentials(trusted_certificates(address).encode("latin-1"))
    options = [*_OPTIONS, ("grpc.ssl_target_name_override", address.tls_name or address.host)]
    return grpc.secure_channel(address.authority, credentials, options=options)
