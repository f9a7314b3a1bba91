"""Calls of a job to the manager, by HTTPS and with the standard library alone."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from typing import Any, Dict, Optional

CONNECT_SECONDS = 5.0
"""How long it may take to connect."""

ANSWER_SECONDS = 20.0
"""How long an answer may take that nothing is waited for."""

_SERVICE = "nni_proto.v1.TrialRuntimeService"
_PARTIAL_CHAIN = 0x80000  # ssl.VERIFY_X509_PARTIAL_CHAIN, which Python 3.8 has no name for
_TEXTS = ("host", "prefix", "certificates", "name", "job", "token")


class ManagerAwayError(Exception):
    """The manager did not answer; the text says why."""


class ManagerRefusedError(Exception):
    """The manager answered that it does not do it; the text has its words.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        """Says why."""
        super().__init__(message)
        self.status = status


class ManagerCalls:
    """One connection to the manager, which is made again when it breaks. Of use to one thread."""

    def __init__(self, access: str) -> None:
        """Makes no connection yet.

        Args:
            access: What the manager has put into the job's secret variable.

        Raises:
            ValueError: It is not that, or would have the token sent unencrypted.
        """
        try:
            told = json.loads(base64.b64decode(access, validate=True))
            self._host, prefix, certificates, self._name, self._job, token = (str(told[n]) for n in _TEXTS)
            self._port = int(told["port"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"what says where the manager is cannot be understood: {error!r}") from error
        if not certificates:
            raise ValueError("the manager's certificate is not known, and without TLS nothing is sent to it")
        self._path = f"{'/' + prefix if prefix else ''}/{_SERVICE}/"
        self._headers = {
            "Host": f"{self._name}:{self._port}",
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
        }
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.verify_flags |= _PARTIAL_CHAIN
        self._context.set_alpn_protocols(["http/1.1"])
        try:
            self._context.load_verify_locations(cadata=certificates)
        except ssl.SSLError as error:
            raise ValueError(f"the manager's certificate cannot be used: {error}") from error
        self._connection: Optional[http.client.HTTPConnection] = None

    @property
    def address(self) -> str:
        """Where the manager is, for messages."""
        return f"{self._host}:{self._port}"

    def __repr__(self) -> str:
        return f"ManagerCalls({self.address!r})"

    def append_events(self, position: int, data: bytes) -> int:
        """Tells the manager a part of the file of events; returns up to where it has the file.

        Raises:
            ManagerAwayError: It does not answer.
            ManagerRefusedError: It refuses.
        """
        fields = {"position": str(position), "data": base64.b64encode(data).decode("ascii")}
        return int(self._call("AppendJobEvents", fields, ANSWER_SECONDS).get("position", 0))

    def read_orders(self, position: int, wait_seconds: float) -> bytes:
        """Returns what the file of orders holds from a position on, b"" if nothing comes in time.

        Raises:
            ManagerAwayError: It does not answer.
            ManagerRefusedError: It refuses.
        """
        fields = {"position": str(position), "waitSeconds": wait_seconds}
        answer = self._call("ReadJobOrders", fields, wait_seconds + ANSWER_SECONDS)
        return base64.b64decode(answer.get("data", ""))

    def close(self) -> None:
        """Ends the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _call(self, method: str, fields: Dict[str, Any], seconds: float) -> Dict[str, Any]:
        body = json.dumps({"job": self._job, **fields}).encode("ascii")
        try:
            if self._connection is not None:
                try:
                    return self._answer(self._connection, method, body, seconds)
                except (ConnectionError, http.client.BadStatusLine, ssl.SSLError):
                    self.close()  # the manager has closed it meanwhile; what is sent may be sent twice
            self._connection = self._connected()
            return self._answer(self._connection, method, body, seconds)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise ManagerAwayError(str(error) or type(error).__name__) from error

    def _connected(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_SECONDS)
        connection.connect()
        # The name is the certificate's: the address is one by which this network reaches it.
        connection.sock = self._context.wrap_socket(connection.sock, server_hostname=self._name)
        return connection

    def _answer(
        self, connection: http.client.HTTPConnection, method: str, body: bytes, seconds: float
    ) -> Dict[str, Any]:
        if connection.sock is None:
            raise ConnectionResetError("the connection is closed")
        connection.sock.settimeout(seconds)
        connection.request("POST", self._path + method, body, self._headers)
        response = connection.getresponse()
        text = response.read()
        if response.status == 200:
            answer = json.loads(text)
            if not isinstance(answer, dict):
                raise ValueError("the answer is not an object")
            return answer
        raise ManagerRefusedError(_message(text) or f"HTTP status {response.status}", response.status)


def _message(text: bytes) -> str:
    """Returns what the manager says in a refusal, "" where it is not one of the manager's."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return ""
