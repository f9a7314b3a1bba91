"""Where a script shows what happens: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from nni_client import words
from nni_client.progress import Progress

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

_SHORTEST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
_PAUSE_PART = 0.02
"""Plain lines come at most each second at first, and after an hour at most each minute."""


class Screen(Protocol):
    """Shows how far an experiment is."""

    def show(self, progress: Progress) -> None:
        """Shows how far the experiment is now; called often, also when nothing changed."""

    def say(self, text: str) -> None:
        """Shows a text for good."""

    def close(self) -> None:
        """Ends the view; what was said stays."""


def open_screen(page: str) -> Screen:
    """Returns the screen for where this script's output goes.

    Args:
        page: The address of the experiment's page.
    """
    if sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        return LiveScreen(page)
    return PlainScreen()


def say(text: str) -> None:
    """Prints a text at once. A closed output is no reason to stop an experiment."""
    output = sys.stdout
    if output is None or output.closed:
        return
    encoding = output.encoding or "utf-8"
    with suppress(BrokenPipeError):
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=output, flush=True)


class PlainScreen:
    """A line whenever something changed, but not too often."""

    def __init__(self) -> None:
        self._shown: object = None
        self._best = ""
        self._shown_at = -_LONGEST_PAUSE_SECONDS

    def show(self, progress: Progress) -> None:
        """Prints a line when something changed and the last one is some time ago."""
        from nni_proto.v1.trial_pb2 import Trial

        running, failed = progress.count(Trial.STATUS_RUNNING), progress.count(Trial.STATUS_FAILED)
        best = words.best(progress.experiment)
        waiting = words.waiting(progress)
        # Not how many run: that changes with every trial that makes room for the next one.
        state = (progress.done, failed, running > 0, best, waiting)
        now = time.monotonic()
        pause = min(max(_PAUSE_PART * progress.seconds, _SHORTEST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
        if state == self._shown or (now - self._shown_at < pause and not progress.has_ended):
            return
        self._shown, self._shown_at = state, now
        parts = [words.done(progress), f"{running} running", f"{failed} failed"]
        if best:
            parts.append(f"best {best if best != self._best else words.best_value(progress.experiment)}")
            self._best = best
        if waiting:
            parts.append(waiting)
        clock = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        say(f"[{clock}] {', '.join(parts)}")

    def say(self, text: str) -> None:
        """Prints a text."""
        say(text)

    def close(self) -> None:
        """Does nothing."""


class LiveScreen:
    """A view on a terminal that is drawn anew in its place."""

    def __init__(self, page: str) -> None:
        """Begins a view.

        Args:
            page: The address of the experiment's page.
        """
        from rich.console import Console
        from rich.live import Live

        self._page = page
        self._live: Live = Live(console=Console(), auto_refresh=False, transient=True)
        self._live.start()

    def show(self, progress: Progress) -> None:
        """Draws the view anew."""
        self._live.update(_view(progress, self._page), refresh=True)

    def say(self, text: str) -> None:
        """Prints a text above the view."""
        self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Takes the view away."""
        self._live.stop()


def _view(progress: Progress, page: str) -> RenderableType:
    from nni_proto.v1.trial_pb2 import Trial
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    experiment = progress.experiment
    total = progress.total
    failed = progress.count(Trial.STATUS_FAILED)
    line = Table.grid(padding=(0, 2))
    line.add_column(no_wrap=True)
    line.add_column(max_width=24)  # the bar gives way where the terminal is narrow
    for _ in range(4):
        line.add_column(no_wrap=True)
    line.add_row(
        Text(words.experiment_status(experiment.status), style="bold"),
        ProgressBar(total=total or 100, completed=progress.done if total else 0, pulse=not total),
        Text(words.done(progress)),
        Text(f"{progress.count(Trial.STATUS_RUNNING)} running"),
        Text(f"{failed} failed", style="red" if failed else ""),
        Text(words.duration(progress.seconds)),
    )
    best = words.best(experiment)
    waiting = words.waiting(progress)
    return Group(
        line,
        *([Text(waiting)] if waiting else []),
        Text(f"best {best}" if best else "no result yet", style="green" if best else "", overflow="fold"),
        Text(page, style="dim"),
    )
