"""The ready pipe: one line that tells whoever started the manager how to reach it, or why it does not run."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

_OPTION = "--ready-fd"


def pipe_in_arguments(words: Sequence[str]) -> int | None:
    """Returns the number of the pipe in a command line, before anything in it is checked."""
    for index, word in enumerate(words):
        if word.startswith(f"{_OPTION}="):
            number = word.partition("=")[2]
        elif word == _OPTION and index + 1 < len(words):
            number = words[index + 1]
        else:
            continue
        return int(number) if number.isascii() and number.isdigit() else None
    return None


class ReadyPipe:
    """The writing end of a pipe that gets exactly one JSON line and is then closed."""

    def __init__(self, file_descriptor: int | None) -> None:
        """Takes over a pipe.

        Args:
            file_descriptor: The pipe; None when nobody waits.
        """
        self._file_descriptor = file_descriptor
        if file_descriptor is not None:
            os.set_inheritable(file_descriptor, False)

    def ready(self, **facts: Any) -> None:
        """Tells that the manager runs."""
        self._send(facts)

    def failed(self, message: str) -> None:
        """Tells why the manager does not run; after `ready` this does nothing."""
        self._send({"error": message})

    def _send(self, message: dict[str, Any]) -> None:
        if self._file_descriptor is None:
            return
        file_descriptor, self._file_descriptor = self._file_descriptor, None
        try:
            with os.fdopen(file_descriptor, "w", encoding="utf-8") as pipe:
                pipe.write(json.dumps(message) + "\n")
        except BrokenPipeError:
            pass  # whoever waited has gone; an experiment outlives the script that started it
