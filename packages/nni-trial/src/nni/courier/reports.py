"""Reads what a trial reported from its reports.jsonl, a piece at a time."""

from __future__ import annotations

import json
import os
import time
from typing import Any, Dict, List, NamedTuple, Tuple

from nni.courier.values import text, timestamp, value_text

MAX_REPORTS = 1000
"""How many reports one batch has at most."""

MAX_BYTES = 1 << 20
"""How many bytes of the file one batch covers at most, unless a single line is longer."""

MAX_LINE_BYTES = 32 << 20
"""A longer line is skipped; in the protocol's form it would not fit into a message."""

_KINDS = {"i": "METRIC_KIND_INTERMEDIATE", "f": "METRIC_KIND_FINAL"}


class Batch(NamedTuple):
    """A piece of a report file.

    Attributes:
        reports: The reports as MetricReport messages, each a JSON text.
        end: The position behind them.
        problem: What could not be read, "" if nothing.
    """

    reports: List[str]
    end: int
    problem: str


def report_size(path: str) -> int:
    """Returns the size of a report file, 0 for one that does not exist.

    Raises:
        OSError: It cannot be found out.
    """
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def read_batch(path: str, position: int, complete: bool) -> Batch:
    """Reads the next reports of a file.

    Args:
        path: The file; one that does not exist is empty.
        position: Where to begin.
        complete: The trial has ended, so that a line without an end is broken and not unfinished.

    Returns:
        The reports; `end` equals `position` when there is nothing new.

    Raises:
        OSError: The file cannot be read.
    """
    size = report_size(path)
    if size == position:
        return Batch([], position, "")
    if size < position:
        return Batch([], 0, "its report file became shorter; what it holds now is read anew")
    lines, end = _read_lines(path, position, complete)
    reports: List[str] = []
    broken: List[str] = []
    for line in lines:
        try:
            reports.append(_message(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            broken.append(f"{line[:100]!r} ({error})")
    problem = f"{len(broken)} unreadable lines in its report file, the first is {broken[0]}" if broken else ""
    return Batch(reports, end, problem)


def _read_lines(path: str, position: int, complete: bool) -> Tuple[List[bytes], int]:
    """Returns whole lines from a position on, and the position behind them."""
    with open(path, "rb", buffering=0) as file:
        file.seek(position)
        data = _read(file, MAX_BYTES)
        while b"\n" not in data:
            more = _read(file, max(len(data), 1))
            data += more
            if len(data) > MAX_LINE_BYTES or not more:
                break
    whole = data.rfind(b"\n") + 1
    if whole == 0:
        if len(data) > MAX_LINE_BYTES or (complete and data):
            return [data[:MAX_LINE_BYTES]], position + len(data)
        return [], position
    lines = data[:whole].split(b"\n", MAX_REPORTS)
    rest = lines.pop()
    return [line for line in lines if line], position + whole - len(rest)


def _read(file: Any, size: int) -> bytes:
    return file.read(size) or b""


def _message(report: Dict[str, Any]) -> str:
    number = report["n"]
    if type(number) is not int or not 0 <= number < 2**63:
        raise ValueError(f"number {number!r}")
    return (
        f'{{"kind":"{_KINDS[report["k"]]}","reporter":{text(report["r"])},"number":"{number}",'
        f'"value":{value_text(report["v"])},"reportTime":"{_time_text(report.get("t"))}"}}'
    )


def _time_text(seconds: Any) -> str:
    """Returns a timestamp, that of now for what is not a time: a clock gone wrong must cost no result."""
    try:
        return timestamp(seconds)
    except (ValueError, TypeError):
        return timestamp(time.time())
