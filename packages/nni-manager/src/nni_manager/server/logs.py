"""The manager's log: a rotating file in the experiment's folder, secrets left out."""

from __future__ import annotations

import logging
import logging.handlers
import os
import re
from datetime import datetime
from pathlib import Path

LEVELS = {
    "fatal": logging.CRITICAL,
    "critical": logging.CRITICAL,
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": logging.DEBUG,
}
"""The names of levels that a configuration may have."""

_BYTES_IN_A_FILE = 10 * 1024 * 1024
_OLDER_FILES = 3
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_TOKEN = re.compile(r"\.[0-9a-f]{64}")
_NAMES = ("bearer", "code=", "passphrase", "password", "secret", "token")
_NAMED = re.compile(
    r"(?i)(\bbearer\s+|[?&]code=|(?:password|passphrase|secret|token)[\"']?\s*[=:]\s*[\"']?)[^\s\"'&]+"
)


class _PrivateRotatingFileHandler(logging.handlers.RotatingFileHandler):
    def _open(self):  # type: ignore[no-untyped-def]
        return open(
            self.baseFilename,
            self.mode,
            encoding=self.encoding,
            opener=lambda path, flags: os.open(path, flags, 0o600),
        )


class _RedactingFormatter(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        moment = datetime.fromtimestamp(record.created).astimezone()
        return moment.isoformat(sep=" ", timespec="milliseconds")

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def redacted(text: str) -> str:
    """Returns a text without what looks like tokens, codes and passwords."""
    text = _TOKEN.sub(".***", text)
    lowered = text.lower()
    if any(name in lowered for name in _NAMES):
        text = _NAMED.sub(r"\1***", text)
    return text


def start_logging(path: Path | None, level: str) -> None:
    """Sends all logging of this process to a file of at most 10 MiB, with three older ones kept.

    Args:
        path: The file; its folder exists. None logs to stderr.
        level: One of LEVELS.

    Raises:
        OSError: The file cannot be written.
    """
    handler: logging.Handler = logging.StreamHandler()
    if path is not None:
        handler = _PrivateRotatingFileHandler(
            path, maxBytes=_BYTES_IN_A_FILE, backupCount=_OLDER_FILES, encoding="utf-8"
        )
    handler.setFormatter(_RedactingFormatter(_FORMAT))
    logging.basicConfig(level=LEVELS[level], handlers=[handler], force=True)
    logging.captureWarnings(True)
    for noisy in ("asyncio", "uvicorn"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, LEVELS[level]))
