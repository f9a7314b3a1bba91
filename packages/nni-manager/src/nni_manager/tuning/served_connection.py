"""The way to an algorithm that another process serves, in any language: AlgorithmService, over gRPC.

Only the manager's own process imports this.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator

import grpc
from nni_proto.v1.algorithm_pb2 import AlgorithmRequest, AlgorithmResponse

from nni_manager.tuning.conversation import SECONDS_TO_EXIT, Ended, Ending, Take
from nni_manager.tuning.framing import MAX_MESSAGE_SIZE, body_of
from nni_manager.tuning.interface import AlgorithmDeathError, AlgorithmError, AlgorithmSettings
from nni_manager.tuning.requests import terminate_request

_logger = logging.getLogger(__name__)

SECONDS_TO_ANSWER = 5.0
"""How long a server may take to be reached for the first time."""

SECONDS_TO_RETURN = 120.0
"""How long one that was reached before may be away, each time that it counts as one death."""

_CONVERSE = "/nni_proto.v1.AlgorithmService/Converse"
_LOST = "lost connection"
_OPTIONS = [
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_SIZE),
    ("grpc.max_send_message_length", MAX_MESSAGE_SIZE),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A machine that vanished is noticed. Servers take more frequent questions for an attack.
    ("grpc.keepalive_time_ms", 360_000),
    ("grpc.keepalive_timeout_ms", 20_000),
]
_REFUSALS = {
    grpc.StatusCode.UNAUTHENTICATED: "it does not know the token",
    grpc.StatusCode.PERMISSION_DENIED: "it refuses the token",
    grpc.StatusCode.UNIMPLEMENTED: "it does not serve nni_proto.v1.AlgorithmService",
    grpc.StatusCode.INVALID_ARGUMENT: "it refuses what it was told",
    grpc.StatusCode.FAILED_PRECONDITION: "it refuses what it was told",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "a message is too large, or it has no room",
}
"""What it is no use to try again."""


class Servers:
    """The servers of algorithms that a manager talks to."""

    def __init__(self) -> None:
        self._reached: set[str] = set()

    async def connect(self, settings: AlgorithmSettings, take: Take, ended: Ended) -> ServedConnection:
        """Begins a conversation with the server of an algorithm.

        One that was reached before may have to be started again, and is waited for longer.

        Args:
            settings: The algorithm, with an endpoint.
            take: Gets what it answers.
            ended: Gets its end, after all it answered.

        Raises:
            AlgorithmError: It cannot be reached, for the first time.
            AlgorithmDeathError: It cannot be reached any more.
            OSError: The file of certificates cannot be read.
        """
        endpoint = settings.endpoint or ""
        known = endpoint in self._reached
        trusted = None if settings.ca_file is None else await asyncio.to_thread(settings.ca_file.read_bytes)
        channel = _channel(endpoint, trusted)
        try:
            await _ready(channel, endpoint, known)
        except BaseException as error:
            await channel.close(None)
            if not isinstance(error, TimeoutError):
                raise
            cause = await _cause(endpoint, is_encrypted=settings.ca_file is not None)
            message = f"it cannot be reached at {endpoint}: {cause}"
            text = f"the {settings.kind} cannot be reached at {endpoint}: {cause}"
            if known:
                raise AlgorithmDeathError(text, message, "", _LOST) from None
            raise AlgorithmError(text, message) from None
        self._reached.add(endpoint)
        return ServedConnection(channel, settings, take, ended)


class ServedConnection:
    """One conversation with a server; see `Conversation`.

    Attributes:
        last_number: The number of the last message that was sent.
    """

    pid: int | None = None

    def __init__(
        self, channel: grpc.aio.Channel, settings: AlgorithmSettings, take: Take, ended: Ended
    ) -> None:
        """Use `Servers.connect` instead."""
        self.last_number = 0
        self._channel = channel
        self._kind = settings.kind
        self._endpoint = settings.endpoint or ""
        self._take = take
        self._ended = ended
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._has_room = asyncio.Event()
        self._can_send = True
        converse = channel.stream_stream(
            _CONVERSE,
            request_serializer=bytes,
            response_deserializer=AlgorithmResponse.FromString,
        )
        metadata = [("authorization", f"Bearer {settings.token}")] if settings.token is not None else []
        self._call = converse(self._requests(), metadata=metadata)
        self._life = asyncio.create_task(self._live())

    def send(self, request: AlgorithmRequest) -> int:
        """Sends a message soon and returns the number it gets; it is dropped when the stream has ended.

        Raises:
            ValueError: The message is too large.
        """
        request.number = self.last_number + 1
        message = body_of(request)
        self.last_number += 1
        self._put(message)
        return self.last_number

    async def send_all(self, messages: list[bytes]) -> bool:
        """Sends messages that have their numbers, and returns once the server has taken most of them.

        Args:
            messages: The messages as bytes.

        Returns:
            False when the stream has ended.
        """
        self.last_number += len(messages)
        for message in messages:
            self._put(message)
        self._has_room.clear()
        if self._can_send and not self._waiting.empty():
            await self._has_room.wait()
        return self._can_send

    def finish(self) -> None:
        """Ends our side of the stream."""
        self._put(None)
        self._can_send = False

    async def close(self, grace_seconds: float = SECONDS_TO_EXIT) -> None:
        """Asks the algorithm to end, waits, and breaks the connection off."""
        self.send(terminate_request())
        self.finish()
        done, _ = await asyncio.wait([self._life], timeout=grace_seconds)
        if not done:
            _logger.warning(
                "The %s at %s did not end the stream within %s s.", self._kind, self._endpoint, grace_seconds
            )
            self._call.cancel()
        await self._life

    def _put(self, message: bytes | None) -> None:
        if self._can_send:
            self._waiting.put_nowait(message)

    async def _requests(self) -> AsyncIterator[bytes]:
        while (message := await self._waiting.get()) is not None:
            yield message
            if self._waiting.empty():
                self._has_room.set()

    async def _live(self) -> None:
        """Takes what the algorithm answers until the stream ends."""
        try:
            async for response in self._call:
                self._take(response)
            ending = Ending(f"the server at {self._endpoint} ended the stream", cause="end of the stream")
        except grpc.aio.AioRpcError as error:
            ending = self._ending(error)
        except asyncio.CancelledError:
            ending = Ending("the stream was broken off", cause=_LOST)
        except ValueError as error:
            ending = Ending(f"the server at {self._endpoint} sent what is not the protocol: {error}")
        self._can_send = False
        self._has_room.set()
        await self._channel.close(None)
        self._ended(ending)

    def _ending(self, error: grpc.aio.AioRpcError) -> Ending:
        code, details = error.code(), error.details() or "no reason was given"
        refusal = _REFUSALS.get(code)
        if refusal is None:
            return Ending(f"the connection to {self._endpoint} broke: {details}", cause=_LOST)
        hint = ""
        if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            variable = f"NNI_SECRET_{self._kind.upper()}_TOKEN"
            hint = f"; it is {self._kind}.token, which no record has: a resume takes it from {variable}"
        return Ending(f"the server at {self._endpoint} refuses: {refusal} ({details}){hint}")


def _channel(endpoint: str, trusted: bytes | None) -> grpc.aio.Channel:
    if trusted is None:
        return grpc.aio.insecure_channel(endpoint, options=_OPTIONS)
    return grpc.aio.secure_channel(endpoint, grpc.ssl_channel_credentials(trusted), options=_OPTIONS)


async def _ready(channel: grpc.aio.Channel, endpoint: str, known: bool) -> None:
    """Waits until a server answers.

    Raises:
        TimeoutError: None does.
    """
    with contextlib.suppress(asyncio.TimeoutError):
        return await asyncio.wait_for(channel.channel_ready(), SECONDS_TO_ANSWER)
    if not known:
        raise TimeoutError
    _logger.warning("%s does not answer; it is waited for, up to %.0f s.", endpoint, SECONDS_TO_RETURN)
    try:
        await asyncio.wait_for(channel.channel_ready(), SECONDS_TO_RETURN - SECONDS_TO_ANSWER)
    except asyncio.TimeoutError:
        raise TimeoutError from None


async def _cause(endpoint: str, *, is_encrypted: bool) -> str:
    """Returns why no server answered."""
    host, _, port = endpoint.rpartition(":")
    connecting = asyncio.open_connection(host.removeprefix("[").removesuffix("]"), int(port))
    try:
        _, writer = await asyncio.wait_for(connecting, SECONDS_TO_ANSWER)
    except asyncio.TimeoutError:
        return f"nothing answers within {SECONDS_TO_ANSWER:.0f} s"
    except OSError as error:
        if error.errno is not None and error.errno > 0:
            return os.strerror(error.errno)
        return error.strerror or str(error)  # of the name's resolution
    writer.close()
    if is_encrypted:
        return "it accepts connections, and none with TLS that ca_file verifies"
    return "it accepts connections, and does not speak gRPC without TLS"
