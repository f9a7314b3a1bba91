"""How the stand-in can be told to fail."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class Faults:
    """What goes wrong from now on.

    Attributes:
        signed_out_after: After how many requests tokens are no longer taken, None for never.
        fail_next: How many requests are answered with `status`, those to paths that contain `path` alone.
        status: That status.
        path: That part of a path.
        retry_after: What such an answer says of when to come again.
        delay: How many seconds each answer takes longer.
        quota: Why no node can be started, "" where nodes come; jobs stay in the queue meanwhile.
        hold: Whether jobs stay in the queue.
        refuse_jobs: Why no job is taken, "" where they are.
        drops: How many requests that make a job are carried out and then answered with an error.
    """

    signed_out_after: int | None = None
    fail_next: int = 0
    status: int = 500
    path: str = ""
    retry_after: int | None = None
    delay: float = 0.0
    quota: str = ""
    hold: bool = False
    refuse_jobs: str = ""
    drops: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take(self, path: str, asked: int) -> int | None:
        """Returns the status that a request fails with, None for none."""
        with self.lock:
            if self.signed_out_after is not None and asked > self.signed_out_after:
                return 401
            if self.fail_next > 0 and self.path in path:
                self.fail_next -= 1
                return self.status
        return None
