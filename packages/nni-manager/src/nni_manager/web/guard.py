"""What every request must pass before anything reads it, and the headers that every answer has."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

import grpc
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nni_manager.rpc.errors import CallFailure
from nni_manager.web.refusals import refused

# An answer that has one of these keeps its own.
_USUAL_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
}
_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class BrowserGuard:
    """Refuses what a foreign page makes a browser send.

    The Host header defeats DNS rebinding: an attacker's name that points here is not one of ours. The Origin
    header defeats calls from pages of other sites and other ports.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Collection[str]) -> None:
        """Makes the guard.

        Args:
            app: What answers the requests that pass.
            allowed_hosts: Host names, beside localhost and addresses, under which the manager is reached.
        """
        self._app = app
        self._allowed_hosts = {host.lower() for host in allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _USUAL_HEADERS.items():
                    headers.setdefault(name, value)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        problem = self._problem(Headers(scope=scope))
        answer = self._app if problem is None else refused(_forbidden(problem))
        await answer(scope, receive, send_with_headers)

    def _problem(self, headers: Headers) -> str | None:
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return "this host name is not one that the manager answers for; the setting allowed_hosts adds it"
        if origins and (len(origins) > 1 or not self._is_same_origin(origins[0], hosts[0])):
            return "pages of other origins may not call the manager"
        if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            return "pages of other sites may not call the manager"
        return None

    def _is_ours(self, host: str) -> bool:
        name = _host_name(f"//{host}")
        return name is not None and (name == "localhost" or name in self._allowed_hosts or _is_address(name))

    def _is_same_origin(self, origin: str, host: str) -> bool:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https"):
            return False
        # A reverse proxy may send its own Host header; the page's origin is then the name it is known by.
        return parts.netloc.lower() == host.lower() or _host_name(origin) in self._allowed_hosts


def _forbidden(problem: str) -> CallFailure:
    return CallFailure(grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED", problem)


def _host_name(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        if parts.port == 0 or parts.username is not None or parts.path:
            return None
        return parts.hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    # DNS rebinding needs a name; a browser that was given an address connects to that address.
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
