"""What commands print: JSON for scripts, tables for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Sequence
from typing import Any

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
        cut: The columns that give way on a narrow terminal.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False, header_style="bold")
    lines = [[one_line(cell) for cell in row] for row in rows]
    for index, column in enumerate(columns):
        width = max(cell_len(text) for text in (column, *(line[index] for line in lines)))
        least = None if column in cut else width
        table.add_column(Text(column), no_wrap=True, overflow="ellipsis", min_width=least)
    for line in lines:
        table.add_row(*(Text(cell, style=style_of(cell)) for cell in line))
    console = Console(width=None if is_terminal() else _PLAIN_WIDTH, highlight=False)
    with console.capture() as capture:
        console.print(table)
    for printed in capture.get().splitlines():
        print(printed.rstrip())


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
