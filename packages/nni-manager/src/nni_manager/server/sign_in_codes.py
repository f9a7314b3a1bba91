"""One-time codes that sign a browser in."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable

from nni_manager.rpc.access import Role, SignInCode

LIFETIME_SECONDS = 600.0
"""How long a code works."""

_MOST_CODES = 1000


class OneTimeCodes:
    """Issues codes and redeems each once, in memory only."""

    def __init__(self, page_url: str, clock: Callable[[], float] = time.time) -> None:
        """Makes an empty set of codes.

        Args:
            page_url: The page's address, ending in "/".
            clock: Seconds since 1970.
        """
        self._page_url = page_url
        self._clock = clock
        self._roles: dict[bytes, tuple[Role, float]] = {}

    def create(self, role: Role) -> SignInCode:
        """Returns a new code."""
        now = self._clock()
        self._roles = {key: entry for key, entry in self._roles.items() if entry[1] > now}
        while len(self._roles) >= _MOST_CODES:
            del self._roles[next(iter(self._roles))]
        code = secrets.token_urlsafe(24)
        expires_at = now + LIFETIME_SECONDS
        self._roles[_key(code)] = (role, expires_at)
        return SignInCode(code, f"{self._page_url}sign-in?code={code}", expires_at)

    def redeem(self, code: str) -> Role | None:
        """Returns what a code is good for and forgets it; None when it is unknown, used or too old."""
        role, expires_at = self._roles.pop(_key(code), (None, 0.0))
        return role if expires_at > self._clock() else None


def _key(code: str) -> bytes:
    # Looking up a hash keeps the time of the look-up from telling anything about codes.
    return hashlib.sha256(code.encode(errors="replace")).digest()
