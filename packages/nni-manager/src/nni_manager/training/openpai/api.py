"""Requests to OpenPAI's REST interface, and what their failures mean."""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.platform import PlatformAwayError
from nni_manager.training.openpai.token import Token

SECONDS = 30.0
"""How long an answer may take."""

_CONNECT_SECONDS = 10.0
_MOST_CONNECTIONS = 8
_MOST_SHOWN = 500
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class TokenRefusedError(PlatformAwayError):
    """The token is not taken, or no longer."""


class CertificateError(PlatformAwayError):
    """The platform's certificate cannot be trusted."""


class NotOpenPaiError(PlatformAwayError):
    """What answers is no OpenPAI."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What OpenPAI has answered: what was asked for, or why not.

    Attributes:
        status: The HTTP status: 2xx, or 4xx for what will not change by itself.
        content: The JSON value.
        code: OpenPAI's name of the error: "NoJobError".
        message: Its words.
    """

    status: int
    content: Any = None
    code: str = ""
    message: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it is what was asked for."""
        return self.status < 300


def certificates(ca_file: str | None, insecure: bool) -> ssl.SSLContext:
    """Returns whom to trust.

    Raises:
        TrainingServiceError: The file holds no certificates.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise TrainingServiceError(
            f"ca_file: {ca_file} holds no certificates in PEM form: {error.strerror or error}"
        ) from error
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class OpenPaiApi:
    """Asks OpenPAI."""

    def __init__(self, host: str, token: Token, trusted: ssl.SSLContext, *, seconds: float = SECONDS) -> None:
        """Connects to nothing yet.

        Args:
            host: The address of the web portal, with a path where the portal has one.
            token: Signs in.
            trusted: Whose certificates are taken.
            seconds: How long an answer may take.
        """
        self.portal = host.rstrip("/").removesuffix("/rest-server")
        self._token = token
        # Their lines would hold addresses of logs, which have tokens in them.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._client = httpx.AsyncClient(
            verify=trusted,
            timeout=httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS)),
            limits=httpx.Limits(max_connections=_MOST_CONNECTIONS),
        )

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
        yaml: str | None = None,
    ) -> Answer:
        """Makes a request, with the token.

        Args:
            method: The HTTP method.
            path: What follows /rest-server.
            params: The query.
            json: A body in JSON.
            yaml: A body in YAML.

        Raises:
            PlatformAwayError: There is no answer, or one that is worth asking again.
            TokenRefusedError: The token is not taken.
        """
        headers = {"Accept": "application/json"}
        content = None
        if yaml is not None:
            headers["Content-Type"] = "text/yaml"
            content = yaml.encode()
        while True:
            token = self._token.value
            headers["Authorization"] = f"Bearer {token}"
            response = await self._answer(
                method,
                f"{self.portal}/rest-server{path}",
                params=params,
                json=json,
                content=content,
                headers=headers,
            )
            if response.status_code != 401:
                return self._judged(response)
            if token == self._token.value and not await asyncio.to_thread(self._token.reread):
                raise self._token_refused(response)

    async def end_of(self, address: str, most_bytes: int) -> bytes:
        """Returns the end of a log, whose address has its own access in it.

        Raises:
            PlatformAwayError: It is not known now.
        """
        url = httpx.URL(self.portal).join(address)
        if url.scheme not in ("http", "https"):
            raise self._away("names a log by an address that is not one")
        end = b""
        try:
            async with self._client.stream("GET", url) as response:
                if response.status_code == 404:
                    return b""
                if response.status_code != 200:
                    raise self._away(f"answers {response.status_code} when asked for a log")
                async for chunk in response.aiter_bytes():
                    end = (end + chunk)[-most_bytes:] if most_bytes else b""
        except httpx.HTTPError as error:
            raise self._no_answer(error) from None
        return end

    async def close(self) -> None:
        """Ends the connections."""
        await self._client.aclose()

    async def _answer(self, method: str, url: str, **arguments: Any) -> httpx.Response:
        try:
            return await self._client.request(method, url, **arguments)
        except httpx.InvalidURL as error:
            raise self._away(f"cannot be asked: {error}") from None
        except (httpx.HTTPError, UnicodeError) as error:
            raise self._no_answer(error) from None

    def _judged(self, response: httpx.Response) -> Answer:
        status = response.status_code
        if 300 <= status < 400:
            place = response.headers.get("Location", "elsewhere")
            raise NotOpenPaiError(f"{self.portal} sends on to {place}", can_be_repaired="write that as host")
        try:
            content = response.json()
        except ValueError:
            if status in _PASSING:
                content = {}
            elif status < 300 and not response.content:
                return Answer(status)
            else:
                raise NotOpenPaiError(
                    f"{self.portal} answers {status} with no JSON", can_be_repaired="check host"
                ) from None
        if status < 300:
            return Answer(status, content)
        words = content if isinstance(content, dict) else {}
        code, message = str(words.get("code") or ""), _words(words.get("message"))
        if status in _PASSING:
            said = f'{status} "{message}"' if message else str(status)
            why = "is asked too often" if status == 429 else "has a problem of its own"
            raise self._away(f"{why}: it answers {said}", _retry_after(response))
        return Answer(status, code=code, message=message)

    def _token_refused(self, response: httpx.Response) -> TokenRefusedError:
        try:
            message = _words(response.json().get("message"))
        except (ValueError, AttributeError):
            message = ""
        expiry = self._token.expiry()
        is_over = expiry is not None and expiry < datetime.now(timezone.utc)
        why = f"the token expired on {expiry:%Y-%m-%d %H:%M} UTC" if is_over else "the token is not taken"
        said = f' ("{message}")' if message else ""
        return TokenRefusedError(f"OpenPAI at {self.portal}: {why}{said}", None, self._token.repair)

    def _no_answer(self, error: Exception) -> PlatformAwayError:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return CertificateError(
                    f"OpenPAI at {self.portal}: its certificate cannot be trusted: {cause.verify_message}",
                    None,
                    "name the certificate of who has signed it as ca_file, or set insecure: true",
                )
            cause = cause.__cause__ or cause.__context__
        if isinstance(error, httpx.TimeoutException):
            return self._away("does not answer in time")
        return self._away(f"does not answer: {error or type(error).__name__}")

    def _away(self, what: str, retry_after: float | None = None) -> PlatformAwayError:
        return PlatformAwayError(f"OpenPAI at {self.portal} {what}", retry_after)


def _words(message: Any) -> str:
    """Returns a message of OpenPAI as one short line; it has sent lists too."""
    text = message if isinstance(message, str) else "" if message is None else str(message)
    text = " ".join(text.split())
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _retry_after(response: httpx.Response) -> float | None:
    written = response.headers.get("Retry-After", "")
    try:
        seconds = float(written)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(written) - datetime.now(timezone.utc)).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
