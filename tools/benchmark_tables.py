"""Measures what the page's tables and charts ask of a recorded experiment.

    tools/make_experiment --trials 20000 --intermediates 25 FOLDER
    .venv/bin/python tools/benchmark_tables.py FOLDER/made

Each question is asked twice, since the first one makes what the later ones share. The times are those of the
reading thread: the seconds of its processor, and the seconds that went by.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.experiments.trial_table.query import StepRange, TrialQuery
from nni_manager.experiments.trial_table.reading import tables_of
from nni_manager.storage.sqlite import open_sqlite_storage
from workspace.progress import table

_COLUMNS = 6
_PAGE = 100


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="the folder of an experiment")
    parser.add_argument("--filter", default="status = SUCCEEDED and number > 100", help="the filter of pages")
    options = parser.parse_args()
    storage = open_sqlite_storage(ExperimentFolder(options.folder).database, read_only=True)
    record = storage.experiment()
    if record is None:
        raise SystemExit(f"{options.folder} has no experiment")
    reader = tables_of(storage)
    filtered = TrialQuery(options.filter, "objective desc, number")
    names = [column.key.name for column in reader.columns(storage, record)][-_COLUMNS:]
    questions: dict[str, Callable[[], Any]] = {
        "table of all trials": lambda: reader.table(storage, record),
        "page, filtered and sorted": lambda: reader.page(storage, record, filtered, None, 0, _PAGE),
        "page, by number": lambda: reader.page(storage, record, TrialQuery(), None, 0, _PAGE),
        "list of columns": lambda: reader.columns(storage, record),
        f"{len(names)} columns": lambda: reader.read_columns(storage, record, TrialQuery(), names, 20_000),
        "200 curves": lambda: reader.curves(storage, record, TrialQuery(), "default", 200, 200, None),
        "200 curves in a range": lambda: reader.curves(
            storage, record, TrialQuery(), "default", 200, 200, StepRange(3, low=0.0)
        ),
    }
    storage.close()
    storage = open_sqlite_storage(ExperimentFolder(options.folder).database, read_only=True)
    reader = tables_of(storage)
    rows = [(name, *_measured(question), *_measured(question)) for name, question in questions.items()]
    print(table([("question", "first: CPU ms", "ms", "then: CPU ms", "ms"), *rows]))
    storage.close()


def _measured(question: Callable[[], Any]) -> tuple[str, str]:
    cpu, wall = time.thread_time(), time.perf_counter()
    question()
    return f"{1000 * (time.thread_time() - cpu):.1f}", f"{1000 * (time.perf_counter() - wall):.1f}"


if __name__ == "__main__":
    main()
