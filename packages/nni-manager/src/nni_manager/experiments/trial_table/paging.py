"""Pages of trials, each read at one revision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nni_manager.engine.records import ExperimentRecord
from nni_manager.experiments.errors import InvalidArgumentError
from nni_manager.experiments.trial_table.keeping import TableKeeper
from nni_manager.experiments.trial_table.query import Position, TrialQuery
from nni_manager.experiments.trial_table.querying import chosen
from nni_manager.experiments.trial_table.table import TrialTable
from nni_manager.storage.interface import Storage, StoredTrial


@dataclass(frozen=True, slots=True)
class TrialPage:
    """A page of trials.

    Attributes:
        trials: The trials.
        positions: Where each stands in the order; the next page is asked for with one of them.
        has_more: Whether there are trials after them.
        total_size: How many trials there are on all pages.
        revision: The revision of it all.
    """

    trials: Sequence[StoredTrial]
    positions: Sequence[Position]
    has_more: bool
    total_size: int
    revision: int


def trial_page(
    storage: Storage,
    record: ExperimentRecord,
    keeper: TableKeeper,
    query: TrialQuery,
    after: Position | None,
    skip: int,
    limit: int,
) -> TrialPage:
    """Returns a page of the trials of a query.

    Args:
        storage: The record.
        record: The experiment as last stored.
        keeper: Keeps the table; not asked for the plain list by number.
        query: Which trials, in which order.
        after: The position that the page comes after; None for the first page.
        skip: How many trials are left out before the page, after that position.
        limit: How many trials a page has.

    Raises:
        InvalidArgumentError: The query is malformed, or the position is none of its order.
        StorageError: The record cannot be read.
    """
    if query.filter.strip() or query.order_by.strip() or skip:
        with keeper.reading(storage, record) as table:
            return _table_page(storage, table, query, after, skip, limit)
    with storage.snapshot():
        return _plain_page(storage, query, after, limit)


def _plain_page(storage: Storage, query: TrialQuery, after: Position | None, limit: int) -> TrialPage:
    match after:
        case None:
            start = -1
        case [int(start)] if 0 <= start < 2**63:
            pass
        case _:
            raise _foreign_position()
    trials = storage.trials(start, limit + 1, query.statuses)
    counts = storage.trial_counts()
    return TrialPage(
        trials[:limit],
        [[trial.record.sequence_number] for trial in trials[:limit]],
        len(trials) > limit,
        sum(count for status, count in counts.items() if not query.statuses or status in query.statuses),
        storage.revision(),
    )


def _table_page(
    storage: Storage, table: TrialTable, query: TrialQuery, after: Position | None, skip: int, limit: int
) -> TrialPage:
    found = chosen(table, query)
    start = skip
    if after is not None:
        if not found.sorter.is_position(after):
            raise _foreign_position()
        start += found.sorter.start_after(found.rows, after)
    rows = found.rows[start : start + limit]
    return TrialPage(
        storage.trials_of([table.trial_ids[row] for row in rows]),
        [found.sorter.position(row) for row in rows],
        start + limit < len(found.rows),
        len(found.rows),
        table.revision,
    )


def _foreign_position() -> InvalidArgumentError:
    return InvalidArgumentError("page_token: not a next_page_token of this list with these arguments")
