"""Checks of the managers that run, and of what those that have gone left."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from nni_config.experiment_folders import experiments_directories, find_experiments
from nni_config.local_state import ManagerRecord, running_managers, runtime_directory

from nni_client.address import host_to_call
from nni_client.doctor.findings import Finding, failure, note, ok, warning

_SECONDS = 5.0
_STARTING_SECONDS = 60.0
_NAMED_AT_MOST = 5


class Unnamed(NamedTuple):
    """A manager's process.

    Attributes:
        pid: The process.
        experiment_id: The experiment, "" where its command line does not say.
        seconds: How long it has run.
    """

    pid: int
    experiment_id: str
    seconds: float


def manager_processes() -> Iterator[Unnamed]:
    """Yields this user's processes of managers, without those that only show an experiment."""
    import psutil

    for process in psutil.process_iter(["cmdline", "uids", "create_time", "pid"]):
        words, uids = process.info["cmdline"] or [], process.info["uids"]
        is_ours = uids is None or uids.real == os.getuid()
        if is_ours and words[1:3] == ["-m", "nni_manager"] and "--view" not in words:
            place = words.index("--experiment-id") + 1 if "--experiment-id" in words[:-1] else 0
            age = time.time() - process.info["create_time"]
            yield Unnamed(process.info["pid"], words[place] if place else "", age)


def answers(record: ManagerRecord) -> bool:
    """Returns whether a manager answers on its port."""
    host = host_to_call(record.bind)
    call: http.client.HTTPConnection
    if record.ca_file:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # any answer will do
        call = http.client.HTTPSConnection(host, record.port, timeout=_SECONDS, context=context)
    else:
        call = http.client.HTTPConnection(host, record.port, timeout=_SECONDS)
    try:
        call.request("GET", f"/{record.url_prefix}".rstrip("/") or "/")
        call.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        call.close()
    return True


def check_managers(
    directories: Iterable[Path] | None = None,
    processes: Callable[[], Iterable[Unnamed]] = manager_processes,
    does_answer: Callable[[ManagerRecord], bool] = answers,
) -> list[Finding]:
    """Checks that each manager answers and is on record, and that the records can be read."""
    if sys.platform == "win32":
        return []
    where = experiments_directories() if directories is None else list(directories)
    before = len(_record_files())
    managers = running_managers(where)  # which removes the records of those that have gone
    left = _record_files()
    findings = [_silent(record) for record in managers if not does_answer(record)]
    findings += [_unreadable(path) for path in left if not _is_record(path)]
    known = {record.pid for record in managers}
    for process in processes():
        if process.pid not in known and process.seconds > _STARTING_SECONDS:
            findings.append(_unnamed(process))
    if before > len(left):
        findings.append(note(f"records of managers that have gone were removed: {before - len(left)}"))
    findings += _interrupted(where)
    return [ok(f"{len(managers)} running"), *findings]


def _silent(record: ManagerRecord) -> Finding:
    text = f"the manager of experiment {record.experiment_id} (process {record.pid}) does not answer"
    repair = f"wait if it is busy, else end it: nnictl stop {record.experiment_id}, or kill {record.pid}"
    return failure(f"{text} on port {record.port}", f"{repair}; nnictl resume {record.experiment_id} goes on")


def _unnamed(process: Unnamed) -> Finding:
    of = f" of experiment {process.experiment_id}" if process.experiment_id else ""
    text = f"process {process.pid} is a manager{of} that no record names, so nnictl does not find it"
    return warning(text, f"end it: kill {process.pid}")


def _unreadable(path: Path) -> Finding:
    return warning(f"the record of a manager in {path} cannot be read", f"remove it: rm {path}")


def _interrupted(directories: list[Path]) -> list[Finding]:
    names = [it.experiment_id for it in find_experiments(directories) if it.is_interrupted]
    if not names:
        return []
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    text = ", ".join(names[-_NAMED_AT_MOST:]) + more
    return [note(f"managers of these experiments have gone without an end: {text}; nnictl resume ID goes on")]


def _record_files() -> list[Path]:
    try:
        return sorted((runtime_directory() / "managers").glob("*.json"))
    except OSError:
        return []  # what is wrong with the folder is a check of its own


def _is_record(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except FileNotFoundError:
        return True  # it was removed meanwhile
    except (OSError, ValueError):
        return False
