"""A browser's window that takes down everything that a page does wrong."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Request, WebError


class WatchedContext:
    """One signed-out browser of its own, whose pages are watched.

    Attributes:
        context: The browser's context.
        requests: The addresses that were asked for.
        origins: Whom pages may ask.
    """

    def __init__(self, browser: Browser, origin: str, **options: object) -> None:
        """Opens it.

        Args:
            browser: The browser.
            origin: The only origin that pages may ask, such as http://127.0.0.1:8080.
            options: Options of `Browser.new_context`.
        """
        self.context: BrowserContext = browser.new_context(**options)  # type: ignore[arg-type]
        self.requests: list[str] = []
        self.origins = {origin}
        self._problems: list[str] = []
        self._allowed: list[str] = []
        self.context.on("console", self._note_message)
        self.context.on("weberror", self._note_error)
        self.context.on("request", self._note_request)

    def allow(self, pattern: str) -> None:
        """Lets problems be whose text the pattern is found in: the test brings them about."""
        self._allowed.append(pattern)

    def problems(self) -> list[str]:
        """Returns errors on consoles, what the content security policy refused, and foreign requests."""
        return [each for each in self._problems if not any(re.search(it, each) for it in self._allowed)]

    def close(self) -> None:
        """Closes it."""
        self.context.close()

    def _note_message(self, message: ConsoleMessage) -> None:
        # What the content security policy refuses is told as an error, too.
        if message.type in ("error", "warning"):
            place = message.location
            self._problems.append(f"{message.type}: {message.text} ({place.get('url')})")

    def _note_error(self, error: WebError) -> None:
        self._problems.append(f"exception: {error.error}")

    def _note_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        self.requests.append(request.url)
        if parts.scheme not in ("data", "blob") and f"{parts.scheme}://{parts.netloc}" not in self.origins:
            self._problems.append(f"asked for something elsewhere: {request.url}")
