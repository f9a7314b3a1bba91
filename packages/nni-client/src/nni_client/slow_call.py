"""Tells a person that a call which takes long is still under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nni_client.screen import say

_FIRST_SECONDS = 5.0
_NEXT_SECONDS = 10.0


@contextmanager
def told_while_it_takes_long(text: Callable[[float], str]) -> Iterator[None]:
    """Prints a line after 5 seconds within the block, and then one every 10 seconds.

    Args:
        text: Returns the line, given for how many seconds the block has run.
    """
    began = time.monotonic()
    ended = threading.Event()

    def tell() -> None:
        pause = _FIRST_SECONDS
        while not ended.wait(pause):
            say(text(time.monotonic() - began))
            pause = _NEXT_SECONDS

    teller = threading.Thread(target=tell, name="nni-slow-call", daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()
