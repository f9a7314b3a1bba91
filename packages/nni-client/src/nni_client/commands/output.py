"""What commands print: JSON for scripts, tables for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

_STYLES = {
    "SUCCEEDED": "green",
    "DONE": "green",
    "RUNNING": "cyan",
    "NO_MORE_TRIAL": "cyan",
    "TUNER_NO_MORE_TRIAL": "cyan",
    "FAILED": "red",
    "ERROR": "red",
    "EARLY_STOPPED": "yellow",
    "USER_CANCELED": "yellow",
    "SYS_CANCELED": "yellow",
    "STOPPED": "yellow",
    "STOPPING": "yellow",
}
_PLAIN_WIDTH = 1_000_000
_GAP = 2
_LEAST_CUT = 12
"""How wide a column that gives way is at least."""


def is_terminal() -> bool:
    """Returns whether a person reads what is printed."""
    return sys.stdout is not None and sys.stdout.isatty()


def print_json(value: Any) -> None:
    """Prints JSON in the layout that NNI's nnictl had."""
    print(json.dumps(value, indent=4, sort_keys=True, separators=(",", ":")))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], cut: Collection[str] = ()) -> None:
    """Prints lines under headers; on a terminal within its width and with statuses in colour.

    Args:
        columns: The headers.
        rows: The cells of each line; None is shown as "-".
        cut: The columns that give way on a narrow terminal; what is cut ends in "…".
    """
    from rich.console import Console

    console = Console(width=None if is_terminal() else _PLAIN_WIDTH, highlight=False)
    table, left_out = table_within(console.width, columns, rows, cut)
    with console.capture() as capture:
        console.print(table)
    for printed in capture.get().splitlines():
        print(printed.rstrip())
    if left_out:
        print(f"No room in {console.width} columns for: {', '.join(left_out)}")


def table_within(
    room: int, columns: Sequence[str], rows: Sequence[Sequence[object]], cut: Collection[str]
) -> tuple[Table, Sequence[str]]:
    """Returns a table that is not wider than there is room, and the last columns where they are left out.

    Args:
        room: How wide the terminal is.
        columns: See `print_table`.
        rows: See `print_table`.
        cut: See `print_table`.
    """
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    lines = [[one_line(cell) for cell in row] for row in rows]
    widths = [
        max(cell_len(text) for text in (column, *(line[index] for line in lines)))
        for index, column in enumerate(columns)
    ]
    widths = _fitted(widths, [column in cut for column in columns], room)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_edge=False, header_style="bold")
    for column, width in zip(columns, widths, strict=False):
        table.add_column(Text(column), no_wrap=True, overflow="ellipsis", width=width)
    for line in lines:
        table.add_row(*(Text(cell, style=style_of(cell)) for cell in line[: len(widths)]))
    return table, columns[len(widths) :]


def _fitted(widths: Sequence[int], gives_way: Sequence[bool], room: int) -> list[int]:
    """Returns the widths of the first columns, as many as there is room for."""
    least = [min(width, _LEAST_CUT) if cut else width for width, cut in zip(widths, gives_way, strict=True)]
    kept = len(widths)
    while kept > 1 and sum(least[:kept]) + _GAP * (kept - 1) > room:
        kept -= 1
    fitted = [min(width, room) for width in widths[:kept]]
    narrowest_first = sorted((i for i in range(kept) if gives_way[i]), key=lambda index: widths[index])
    left = room - _GAP * (kept - 1) - sum(w for w, cut in zip(fitted, gives_way, strict=False) if not cut)
    for done, index in enumerate(narrowest_first):
        share = left // (len(narrowest_first) - done)
        fitted[index] = min(fitted[index], max(share, least[index]))
        left -= fitted[index]
    return fitted


def style_of(text: str) -> str:
    """Returns the colour in which a status is shown, "" for every other text."""
    return _STYLES.get(text.partition(" ")[0], "")


def one_line(value: object) -> str:
    """Returns a value as text for one line of a table."""
    if value is None or value == "":
        return "-"
    text = str(value)
    return text if text.isprintable() else repr(text)


def size_text(byte_count: float) -> str:
    """Returns a size such as "1.5 MiB"."""
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    step = 0
    while byte_count >= 1024 and step < len(units) - 1:
        byte_count /= 1024
        step += 1
    return f"{byte_count:.0f} {units[step]}" if step == 0 else f"{byte_count:.1f} {units[step]}"
