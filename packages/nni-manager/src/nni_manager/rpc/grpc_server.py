"""The gRPC server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message
from grpc_status import rpc_status

from nni_manager.rpc.access import Caller
from nni_manager.rpc.calls import GuardedCalls, Method, UnknownMethodError, bearer_token
from nni_manager.rpc.errors import describe
from nni_manager.rpc.paging import MESSAGE_LIMIT

_OPTIONS = [
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
]


async def start_grpc_server(calls: GuardedCalls, socket: Path) -> grpc.aio.Server:
    """Starts a gRPC server on a unix socket.

    Args:
        calls: What it answers.
        socket: The socket's path; nothing may be there.
    """
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers((_Handlers(calls),))
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    return server


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Finds the handler of each call. A caller that may not make it is told so before its request is read."""

    def __init__(self, calls: GuardedCalls) -> None:
        self._calls = calls

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        path = handler_call_details.method
        metadata = dict(handler_call_details.invocation_metadata)
        try:
            method, caller = self._calls.find(path, bearer_token(str(metadata.get("authorization", ""))))
        except UnknownMethodError:
            return None  # grpc answers UNIMPLEMENTED
        except Exception as error:
            return grpc.unary_unary_rpc_method_handler(_refusal(error, path))
        if method.streams:
            return grpc.unary_stream_rpc_method_handler(
                _streaming(self._calls, method, caller), method.request_class.FromString, _serialized
            )
        return grpc.unary_unary_rpc_method_handler(
            _unary(self._calls, method, caller), method.request_class.FromString, _serialized
        )


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


def _refusal(error: Exception, path: str) -> Any:
    async def handle(_request: bytes, context: Any) -> None:
        await _abort(context, error, path)

    return handle


def _unary(calls: GuardedCalls, method: Method, caller: Caller) -> Any:
    async def handle(request: Message, context: Any) -> Message | None:
        try:
            return await calls.unary(method, caller, request)
        except Exception as error:
            await _abort(context, error, method.path)
            return None

    return handle


def _streaming(calls: GuardedCalls, method: Method, caller: Caller) -> Any:
    async def handle(request: Message, context: Any) -> AsyncIterator[Message]:
        try:
            async with aclosing(calls.stream(method, caller, request)) as responses:
                async for response in responses:
                    yield response
        except Exception as error:
            await _abort(context, error, method.path)

    return handle


async def _abort(context: Any, error: Exception, path: str) -> None:
    status = rpc_status.to_status(describe(error, path).status())
    await context.abort(status.code, status.details, status.trailing_metadata)
