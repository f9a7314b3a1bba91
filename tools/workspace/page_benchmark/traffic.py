"""What a page that was opened is sent, and when."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import Page

# Nobody waits for this answer: it is asked for in case somebody opens that chart.
_AHEAD = "/GetParameterImportance"
# Of what goes on for as long as the page is open, the first answer counts.
_STREAM = "/Watch"


class Traffic:
    """Notes what comes to a page from now on, with nothing from the browser's cache.

    Attributes:
        bytes: How many bytes have come.
        shown_at: When the last of what the page shows came, by time.monotonic.
        ahead_at: When the answer came that was asked for in case it is wanted; None without one.
    """

    def __init__(self, page: Page) -> None:
        """Begins.

        Args:
            page: In which a page will be opened.
        """
        self.bytes = 0
        self.shown_at = time.monotonic()
        self.ahead_at: float | None = None
        self._addresses: dict[str, str] = {}
        self._streams: set[str] = set()
        self._ahead: set[str] = set()
        self._session = page.context.new_cdp_session(page)
        self._session.send("Network.enable")
        self._session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        self._session.on("Network.requestWillBeSent", self._ask)
        self._session.on("Network.dataReceived", self._receive)
        self._session.on("Network.loadingFinished", self._finish)

    def is_quiet(self, seconds: float) -> bool:
        """Returns whether nothing has come for so long, and nothing is missing that was asked for ahead."""
        last = max(self.shown_at, self.ahead_at or 0.0)
        return not self._ahead and time.monotonic() - last >= seconds

    def close(self) -> None:
        """Ends it."""
        self._session.detach()

    def _ask(self, event: dict[str, Any]) -> None:
        request, address = event["requestId"], event["request"]["url"]
        self._addresses[request] = address
        if address.endswith(_AHEAD):
            self._ahead.add(request)

    def _receive(self, event: dict[str, Any]) -> None:
        request = event["requestId"]
        if request in self._ahead or request in self._streams:
            return
        self.shown_at = time.monotonic()
        if _STREAM in self._addresses.get(request, ""):
            self._streams.add(request)

    def _finish(self, event: dict[str, Any]) -> None:
        self.bytes += int(event["encodedDataLength"])
        if event["requestId"] in self._ahead:
            self._ahead.remove(event["requestId"])
            self.ahead_at = time.monotonic()
        else:
            self.shown_at = time.monotonic()
