"""What a trial logs at INFO and above goes to trial.log, unless the script sets up logging itself.

A script must not notice: one that asks whether logging is set up is told no, `logging.basicConfig` does what
it always does, and WARNING and above go to stderr as always. So trial.log is not a handler of the root
logger but what the root logger falls back on while it has none.
"""

from __future__ import annotations

import functools
import logging
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, List, Optional

    HandlerList = List[logging.Handler]
else:
    HandlerList = list

_FORMAT = "[%(asctime)s] %(levelname)s (%(name)s/%(threadName)s) %(message)s"
_handler: Optional[logging.Handler] = None


def attach() -> None:
    """Makes trial.log the fallback of the root logger. Does nothing if the script set up logging before."""
    root = logging.getLogger()
    if root.handlers:
        return
    root.handlers = _RootHandlers(handler())
    if root.level == logging.WARNING:
        root.setLevel(_OUR_INFO)
    logging.basicConfig = _only_when_asked(logging.basicConfig)


def handler() -> logging.Handler:
    """Returns the handler that writes to trial.log; the file appears with the first line."""
    global _handler
    if _handler is None:
        _handler = _TrialLog(
            os.path.join(os.environ["NNI_OUTPUT_DIR"], "trial.log"), encoding="utf-8", delay=True
        )
        _handler.setFormatter(logging.Formatter(_FORMAT, "%Y-%m-%d %H:%M:%S%z"))
    return _handler


def follow(output_directory: str) -> None:
    """Makes the handler write to the trial.log of another trial, which this process runs now."""
    if isinstance(_handler, _TrialLog):
        _handler.move(os.path.join(output_directory, "trial.log"))


class _TrialLog(logging.FileHandler):
    _is_hidden = False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError as error:  # from opening the file, which the base class does unguarded
            self._show(record, error)

    def _show(self, record: logging.LogRecord, error: OSError) -> None:
        """Shows in stderr what the file cannot have, such as that of another user's process."""
        if sys.stderr is None:
            return
        if not self._is_hidden:
            self._is_hidden = True
            print(
                f"nni: {self.baseFilename} cannot be written, the log goes on here: {error}", file=sys.stderr
            )
        if record.levelno < logging.WARNING:  # the others are here already
            print(self.format(record), file=sys.stderr)

    def _open(self) -> Any:
        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=_open_private)

    def move(self, path: str) -> None:
        """Goes on in another file, which appears with the first line."""
        self.acquire()
        try:
            stream: Any = self.stream
            self.stream = None  # as FileHandler does when it is to open it later
            self.baseFilename = path
            if stream is not None:
                stream.close()
        finally:
            self.release()


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class _Level(int):
    """A level that can be told from the same one set by the script."""


_OUR_INFO = _Level(logging.INFO)


class _RootHandlers(HandlerList):
    """The root logger's handlers: an empty list to all who look, trial.log and stderr for a record."""

    def __init__(self, trial_log: logging.Handler) -> None:
        super().__init__()
        self._trial_log = trial_log

    def __iter__(self) -> Iterator[logging.Handler]:
        if len(self):
            return super().__iter__()
        return iter([self._trial_log] + ([logging.lastResort] if logging.lastResort else []))

    def append(self, added: logging.Handler) -> None:
        root = logging.getLogger()
        if root.level is _OUR_INFO and added is not self._trial_log:
            root.setLevel(logging.WARNING)
        super().append(added)


def _only_when_asked(original: Callable[..., None]) -> Callable[..., None]:
    """Returns basicConfig, but `logging.info(...)` no longer calls it behind the script's back."""

    @functools.wraps(original)
    def basic_config(**options: Any) -> None:
        implied = sys._getframe(1).f_globals is vars(logging)
        if not (implied and isinstance(logging.getLogger().handlers, _RootHandlers)):
            original(**options)

    return basic_config
