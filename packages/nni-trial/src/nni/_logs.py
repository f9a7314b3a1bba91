"""NNI's own log lines, and where they go: to the terminal outside a trial, to trial.log inside one."""

from __future__ import annotations

import logging
import sys

from nni._environment import in_trial

_silenced = False
_global = False


class _Console(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to what sys.stdout is at the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        # A script with logging of its own sees the line there; once is enough.
        if sys.stdout is not None and (_global or not logging.getLogger().handlers):
            self.stream = sys.stdout
            super().emit(record)


_console = _Console(sys.stdout)
_console.setFormatter(logging.Formatter("[%(asctime)s] %(message)s", "%Y-%m-%d %H:%M:%S"))


def logger() -> logging.Logger:
    """Returns the logger `nni`, which shows INFO and above in the terminal."""
    nni_logger = logging.getLogger("nni")
    if nni_logger.level == logging.NOTSET:
        nni_logger.setLevel(logging.INFO)
    if not (_silenced or _global or in_trial()) and _console not in nni_logger.handlers:
        nni_logger.addHandler(_console)
    return nni_logger


def silence_stdout() -> None:
    """Stops NNI from writing to the terminal. What a trial prints itself is not touched."""
    global _silenced
    _silenced = True
    for owner in (logging.getLogger(), logging.getLogger("nni")):
        owner.removeHandler(_console)


def enable_global_logging(enable: bool = True) -> None:
    """Shows what every logger says, not only NNI's, where NNI's own lines go.

    In a trial that is trial.log, also when the script sets up logging itself.

    Args:
        enable: False goes back; the root logger's level stays as it is.
    """
    global _global
    root, nni_logger = logging.getLogger(), logger()
    if in_trial():
        from nni._trial_log import handler

        ours: logging.Handler = handler()
    else:
        ours = _console
    _global = enable
    if not enable:
        root.removeHandler(ours)
        logger()
    elif not (_silenced and ours is _console):
        nni_logger.removeHandler(ours)
        root.addHandler(ours)
        root.setLevel(nni_logger.level)
