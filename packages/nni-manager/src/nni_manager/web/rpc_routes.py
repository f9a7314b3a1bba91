"""POST /package.Service/Method: every call of the protocol with JSON bodies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import grpc
from google.protobuf.message import Message
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from nni_manager.experiments.errors import InvalidArgumentError
from nni_manager.rpc.access import Caller
from nni_manager.rpc.calls import GuardedCalls, Method, UnknownMethodError
from nni_manager.rpc.errors import CallFailure, describe
from nni_manager.rpc.paging import MESSAGE_LIMIT
from nni_manager.web import connect
from nni_manager.web.refusals import refused


class RpcRoutes:
    """Answers calls that come by HTTP, through the same policy and servicers as gRPC."""

    def __init__(self, calls: GuardedCalls, token: Callable[[Request], str]) -> None:
        """Makes the routes.

        Args:
            calls: What answers.
            token: Returns the token that a request carries, "" for none.
        """
        self._calls = calls
        self._token = token

    async def call(self, request: Request) -> Response:
        """Answers one call."""
        path = f"/{request.path_params['service']}/{request.path_params['method']}"
        try:
            method, caller = self._calls.find(path, self._token(request))
        except UnknownMethodError as error:
            raise HTTPException(404, str(error)) from error
        except Exception as error:
            return refused(describe(error, path))
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        expected = connect.STREAM_TYPE if method.streams else connect.UNARY_TYPE
        if content_type != expected:
            text = f"the content type of {path} is {expected}"
            raise HTTPException(415, text, {"Accept-Post": expected})
        try:
            timeout = _timeout(request)
            message = await _message(request, method)
        except Exception as error:
            return _failed(describe(error, path), method.streams)
        if method.streams:
            return StreamingResponse(
                self._stream(method, caller, message, timeout), media_type=connect.STREAM_TYPE
            )
        try:
            response = await asyncio.wait_for(self._calls.unary(method, caller, message), timeout)
        except asyncio.TimeoutError:
            return _failed(_DEADLINE, streams=False)
        except Exception as error:
            return _failed(describe(error, path), streams=False)
        return Response(await _written(response), media_type=connect.UNARY_TYPE)

    async def _stream(
        self, method: Method, caller: Caller, message: Message, timeout: float | None
    ) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        failure: CallFailure | None = None
        try:
            async with aclosing(self._calls.stream(method, caller, message)) as responses:
                while True:
                    left = None if deadline is None else deadline - loop.time()
                    response = await asyncio.wait_for(anext(responses), left)
                    yield connect.enveloped(await _written(response))
        except StopAsyncIteration:
            pass
        except asyncio.TimeoutError:
            failure = _DEADLINE
        except Exception as error:
            failure = describe(error, method.path)
        yield connect.end_of_stream(failure)


_LARGE = 50_000
_DEADLINE = CallFailure(grpc.StatusCode.DEADLINE_EXCEEDED, "", "the call took longer than its limit")


def _timeout(request: Request) -> float | None:
    text = request.headers.get("connect-timeout-ms")
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise InvalidArgumentError(f"connect-timeout-ms: {text!r} is not a number of at most 10 digits")
    return int(text) / 1000


async def _message(request: Request, method: Method) -> Message:
    for header in ("content-encoding", "connect-content-encoding"):
        if request.headers.get(header, "identity") != "identity":
            raise InvalidArgumentError(f"{header}: compressed messages are not accepted")
    body, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MESSAGE_LIMIT:
            body += chunk
    if size > MESSAGE_LIMIT:  # said only now: a client that still sends would not read it
        raise InvalidArgumentError(f"the body has {size} bytes; at most {MESSAGE_LIMIT} are accepted")
    text = connect.only_message(bytes(body)) if method.streams else bytes(body)
    return connect.parse(text, method.request_class())


async def _written(message: Message) -> bytes:
    """Returns the JSON form of a message; that of a large one takes so long that a thread writes it."""
    if message.ByteSize() < _LARGE:
        return connect.written(message)
    return await asyncio.to_thread(connect.written, message)


def _failed(failure: CallFailure, streams: bool) -> Response:
    if streams:
        return Response(connect.end_of_stream(failure), media_type=connect.STREAM_TYPE)
    return refused(failure)
