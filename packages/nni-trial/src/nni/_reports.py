"""Appends reports to the trial's file, one line and one write for each.

The file is opened for every report: a descriptor that is kept may be closed, or reused for another file, by
a script that closes all it does not know. No lock is held either, since a lock may be taken when a process
forks or a signal handler reports: who reports takes a reporter that nobody else is using, and puts it back.

A line that was cut short is ended by whoever comes next. A write of another process that is half done looks
the same, so the file may have empty lines, which mean nothing.
"""

from __future__ import annotations

import os
import time

from nni._environment import system_file
from nni._exports import load

MAX_BYTES = 16 << 20
"""How long the JSON text of one report may be; several times that must fit into one message."""

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)


class _Reporter:
    """Numbers reports. Its name is unique within the trial."""

    def __init__(self) -> None:
        self.name = f"{os.getpid()}-{os.urandom(6).hex()}"
        self.next_number = 0


_idle: list[_Reporter] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)


def append(kind: str, text: str) -> None:
    """Appends a report to the trial's file. When this returns the system has it, whatever becomes of us.

    Args:
        kind: "i" for an intermediate result, "f" for a final one.
        text: The value as JSON text.

    Raises:
        OSError: The file cannot be written, for instance because the disk is full.
        ValueError: The value is too long.
    """
    if len(text) > MAX_BYTES:
        raise ValueError(
            f"a result may have {MAX_BYTES >> 20} MiB as JSON text, this one has {len(text) >> 20}"
        )
    path = system_file("reports.jsonl")
    try:
        reporter = _idle.pop()
    except IndexError:
        reporter = _Reporter()
    try:
        number = reporter.next_number
        reporter.next_number += 1
        line = f'{{"k":"{kind}","r":"{reporter.name}","n":{number},"t":{time.time()!r},"v":{text}}}\n'
        _append_line(path, line.encode("ascii"))
    finally:
        _idle.append(reporter)


def note_asking() -> bool:
    """Notes in the report file that parameters were asked for, by who can make no file beside it.

    Returns:
        Whether it is noted. An empty line does that.
    """
    file = load("nni._open_files").descriptor("reports.jsonl")
    if file is None:
        return False
    if os.fstat(file).st_size == 0:
        os.write(file, b"\n")
    return True


def is_asking_noted() -> bool:
    """Returns whether the report file says that parameters were asked for."""
    file = load("nni._open_files").descriptor("reports.jsonl")
    return file is not None and os.fstat(file).st_size > 0


def _append_line(path: str, line: bytes) -> None:
    try:
        file, is_inherited = _opened(path)
        try:
            if _ends_inside_a_line(file):
                line = b"\n" + line
            if os.write(file, line) < len(line):
                os.write(file, b"\n")  # the fragment's end; a full disk refuses it and says why
                raise OSError(0, "the write was cut short")
        finally:
            if not is_inherited:
                os.close(file)
    except OSError as error:
        why = load("nni._open_files").why_hidden(error)
        raise OSError(
            error.errno, f"the result could not be stored: {error.strerror}{why and '; ' + why}", path
        ) from error


def _opened(path: str) -> tuple[int, bool]:
    """Returns a descriptor of the file, and whether it is one that the trial's processes inherit."""
    try:
        return os.open(path, _FLAGS, 0o600), False
    except (PermissionError, FileNotFoundError):
        inherited = load("nni._open_files").descriptor(os.path.basename(path))
        if inherited is None:
            raise
        return inherited, True


def _ends_inside_a_line(file: int) -> bool:
    """Returns whether an earlier write, of whatever process, was cut short."""
    size = os.fstat(file).st_size
    if size == 0:
        return False
    if hasattr(os, "pread"):  # of an inherited descriptor, other processes move the position
        return os.pread(file, 1, size - 1) != b"\n"
    os.lseek(file, size - 1, os.SEEK_SET)
    return os.read(file, 1) != b"\n"
