"""Calls over HTTP with JSON bodies: slower than gRPC, but free of threads.

For processes that were forked off one that had used gRPC, where gRPC may hang.
"""

from __future__ import annotations

import base64
import binascii
import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from google.rpc import error_details_pb2  # type: ignore[import-untyped]

from nni_client.address import ManagerAddress
from nni_client.errors import CallError, CallTimeoutError, ManagerUnreachableError, error_for_reason
from nni_client.methods import Method, Request, Response
from nni_client.settings import HOW_CALL_LIMITS_ARE_SET
from nni_client.trust import trusted_certificates

# Each of the 30 levels that a value may have takes three messages.
_MOST_NESTED_MESSAGES = 200


class JsonTransport:
    """One HTTP connection, for a short while."""

    def __init__(self, address: ManagerAddress) -> None:
        self._address = address
        self._connection = (
            _TlsConnection(address)
            if address.ca_file
            else http.client.HTTPConnection(address.host, address.port)
        )
        self._headers = {
            "Authorization": f"Bearer {address.token}",
            "Content-Type": "application/json",
            "Connect-Protocol-Version": "1",
        }

    def call(self, method: Method[Request, Response], request: Request, timeout: float | None) -> Response:
        """Makes a call; raises what `errors` has."""
        self._connection.timeout = timeout
        if self._connection.sock is not None:
            self._connection.sock.settimeout(timeout)
        try:
            self._connection.request(
                "POST", method.path, json_format.MessageToJson(request).encode(), self._headers
            )
            response = self._connection.getresponse()
            body = response.read()
        except TimeoutError as error:
            raise CallTimeoutError(
                f"The manager at {self._address.authority} did not answer {method.name} within {timeout} s. "
                f"{HOW_CALL_LIMITS_ARE_SET}"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise ManagerUnreachableError(
                f"No manager answers at {self._address.authority}: {error}"
            ) from error
        if response.status != 200:
            raise self._error(method.name, response.status, body)
        return json_format.Parse(
            body, method.response(), ignore_unknown_fields=True, max_recursion_depth=_MOST_NESTED_MESSAGES
        )

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _error(self, name: str, http_status: int, body: bytes) -> CallError:
        try:
            answer: Any = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, Mapping):
            return CallError(f"{name} failed at {self._address.authority}: HTTP status {http_status}")
        message = str(answer.get("message") or answer.get("code") or f"HTTP status {http_status}")
        for detail in answer.get("details") or ():
            reason = _reason(detail)
            if reason is not None:
                return error_for_reason(reason, message)
        return CallError(f"{name} failed at {self._address.authority}: {message}")


class _TlsConnection(http.client.HTTPConnection):
    """Verifies the manager by the certificates and the name of its address alone."""

    def __init__(self, address: ManagerAddress) -> None:
        super().__init__(address.host, address.port)
        self._name = address.tls_name or address.host
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            self._context.load_verify_locations(cadata=trusted_certificates(address))
        except (ssl.SSLError, ValueError) as error:
            raise CallError(f"{address.ca_file} does not hold certificates in PEM: {error}") from error

    def connect(self) -> None:
        super().connect()
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self._name)


def _reason(detail: Any) -> str | None:
    if (
        not isinstance(detail, Mapping)
        or detail.get("type") != error_details_pb2.ErrorInfo.DESCRIPTOR.full_name
    ):
        return None
    encoded = str(detail.get("value", ""))
    try:
        info = error_details_pb2.ErrorInfo.FromString(base64.b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (binascii.Error, ValueError):
        return None
    return info.reason if info.domain == "nni" else None
