"""The names of columns.

What a trial itself has is named by TRIAL_COLUMNS. A parameter is named by its path, such as layer0.units; one
whose name means something else here is written parameter.NAME. An entry of the final result is metric.KEY,
one of the latest intermediate result intermediate.KEY; a result that is no object is its entry "default".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple


class Source(str, Enum):
    """What of a trial a column shows."""

    TRIAL = "TRIAL"
    PARAMETER = "PARAMETER"
    METRIC = "METRIC"
    INTERMEDIATE = "INTERMEDIATE"


class Kind(str, Enum):
    """What the values of a column are."""

    NUMBER = "NUMBER"
    TEXT = "TEXT"
    TIME = "TIME"
    DURATION = "DURATION"


class ColumnKey(NamedTuple):
    """A column.

    Attributes:
        source: What it shows.
        path: The name within its source.
    """

    source: Source
    path: str

    @property
    def name(self) -> str:
        """The name that filters and orders use."""
        if self.source is Source.TRIAL:
            return self.path
        if self.source is not Source.PARAMETER:
            return f"{_PREFIXES[self.source]}{self.path}"
        is_taken = not self.path or self.path in TRIAL_COLUMNS or self.path.startswith(_ALL_PREFIXES)
        return f"{_PREFIXES[self.source]}{self.path}" if is_taken else self.path


TRIAL_COLUMNS: Mapping[str, Kind] = {
    "number": Kind.NUMBER,
    "id": Kind.TEXT,
    "status": Kind.TEXT,
    "objective": Kind.NUMBER,
    "duration": Kind.DURATION,
    "created": Kind.TIME,
    "started": Kind.TIME,
    "ended": Kind.TIME,
    "attempt": Kind.NUMBER,
    "host": Kind.TEXT,
    "gpus": Kind.TEXT,
    "reason": Kind.TEXT,
    "source": Kind.TEXT,
    "intermediates": Kind.NUMBER,
}
"""The columns of the trial itself: times in seconds since 1970 UTC, durations in seconds."""

_PREFIXES = {
    Source.PARAMETER: "parameter.",
    Source.METRIC: "metric.",
    Source.INTERMEDIATE: "intermediate.",
}
_ALL_PREFIXES = tuple(_PREFIXES.values())


def key_of(name: str) -> ColumnKey:
    """Returns the column of a name, whether there is such a column or not."""
    for source, prefix in _PREFIXES.items():
        if name.startswith(prefix):
            return ColumnKey(source, name[len(prefix) :])
    return ColumnKey(Source.TRIAL if name in TRIAL_COLUMNS else Source.PARAMETER, name)
