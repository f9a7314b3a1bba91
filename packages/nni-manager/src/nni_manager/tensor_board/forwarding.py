"""Asks a TensorBoard something over its socket. Needs httpx, and is imported when it is first needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

_TIMEOUT = httpx.Timeout(60.0)


class NoAnswerError(Exception):
    """The TensorBoard does not answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a TensorBoard answers.

    Attributes:
        status: The HTTP status.
        headers: Its headers, names in lower case.
        chunks: The body as it was sent; to be read to its end, or closed.
    """

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


async def ask(socket: Path, method: str, target: bytes, headers: Mapping[str, str], body: bytes) -> Answer:
    """Makes a request.

    Args:
        socket: Where the TensorBoard listens. No request goes anywhere else.
        method: The HTTP method.
        target: The path, with the query if there is one.
        headers: What is sent besides what HTTP needs.
        body: The body.

    Raises:
        NoAnswerError: There is no answer, or the target is malformed.
    """
    transport = httpx.AsyncHTTPTransport(uds=str(socket))
    try:
        url = httpx.URL("http://tensorboard/", raw_path=target)
        extensions = {"timeout": _TIMEOUT.as_dict()}
        request = httpx.Request(method, url, headers=headers, content=body, extensions=extensions)
        response = await transport.handle_async_request(request)
    except (httpx.TransportError, httpx.InvalidURL) as error:
        await transport.aclose()
        raise NoAnswerError(f"TensorBoard does not answer: {error}") from error
    return Answer(response.status_code, response.headers, _chunks(transport, response))


async def _chunks(transport: httpx.AsyncHTTPTransport, response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_raw():
            yield chunk
    finally:
        await response.aclose()
        await transport.aclose()
