"""Trials come in the order asked for, and pages go on where the one before ended."""

from __future__ import annotations

import json
import math
from functools import cmp_to_key
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nni_manager.engine.effects import SaveTrial
from nni_manager.engine.statuses import TrialStatus
from nni_manager.experiments.errors import InvalidArgumentError
from nni_manager.experiments.trial_table.keeping import TableKeeper
from nni_manager.experiments.trial_table.paging import TrialPage, trial_page
from nni_manager.experiments.trial_table.parsing import parsed_order
from nni_manager.experiments.trial_table.query import Position, TrialQuery
from nni_manager.storage.memory import MemoryStorage
from nni_manager.testing.storage import EXPERIMENT, trial

CELLS = (
    st.sampled_from([0, 1, 2.5, -0.0, math.nan, math.inf, -math.inf, 2**53 + 1])
    | st.sampled_from(["", "a", "B", "\u00e9", "\U0001f600", "\ud800"])
    | st.none()
    | st.booleans()
)
ROWS = st.lists(st.dictionaries(st.sampled_from("xy"), CELLS), min_size=1, max_size=12)
TERMS = st.lists(st.tuples(st.sampled_from("xy"), st.booleans()), max_size=3)
UNKNOWN = trial(99, parameters={"x": 0, "y": 0})


def page_of(
    storage: MemoryStorage,
    keeper: TableKeeper,
    query: TrialQuery,
    after: Position | None,
    limit: int,
    skip: int = 0,
) -> TrialPage:
    return trial_page(storage, EXPERIMENT, keeper, query, after, skip, limit)


def is_missing(row: dict[str, Any], name: str) -> bool:
    value = row.get(name, math.nan)
    return isinstance(value, float) and math.isnan(value)


def key(value: Any) -> tuple[bool, Any]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return False, float(value)
    text = value if isinstance(value, str) else json.dumps(value)
    return True, text.encode("utf-8", "backslashreplace").decode()


def compared(one: dict[str, Any], other: dict[str, Any], terms: list[tuple[str, bool]]) -> int:
    for name, descending in terms:
        missing = is_missing(one, name), is_missing(other, name)
        if missing[0] != missing[1]:
            return 1 if missing[0] else -1
        if missing[0] or key(one[name]) == key(other[name]):
            continue
        is_after = key(one[name]) > key(other[name])
        return 1 if is_after != descending else -1
    return 0


@settings(max_examples=150, deadline=None)
@given(ROWS, TERMS, st.integers(1, 5), st.sampled_from(["desc", "minus"]))
def test_pages_in_any_order_are_the_whole_list_in_that_order(
    rows: list[dict[str, Any]], terms: list[tuple[str, bool]], size: int, style: str
) -> None:
    storage, keeper = MemoryStorage(), TableKeeper()
    storage.commit([SaveTrial(trial(number, parameters=row)) for number, row in enumerate(rows)])
    storage.commit([SaveTrial(UNKNOWN)])
    minus = style == "minus"
    order_by = ", ".join(
        (f"-{name}" if minus else f"{name} DESC") if descending else name for name, descending in terms
    )
    query = TrialQuery(filter="number < 99", order_by=order_by)
    expected = sorted(
        range(len(rows)), key=cmp_to_key(lambda one, other: compared(rows[one], rows[other], terms))
    )
    found: list[int] = []
    after: Position | None = None
    while True:
        page = page_of(storage, keeper, query, after, size)
        assert page.total_size == len(rows)
        assert len(page.trials) == len(page.positions) <= size
        found += [it.record.sequence_number for it in page.trials]
        if not page.has_more:
            break
        after = json.loads(json.dumps(page.positions[-1]))
    assert found == expected
    assert [
        it.record.sequence_number for it in page_of(storage, keeper, query, None, 3, skip=2).trials
    ] == expected[2:5]


def test_a_page_goes_on_after_a_trial_that_has_changed_or_came_between() -> None:
    storage, keeper = MemoryStorage(), TableKeeper()
    storage.commit([SaveTrial(trial(number, objective=float(number))) for number in range(6)])
    query = TrialQuery(order_by="objective desc")
    page = page_of(storage, keeper, query, None, 2)
    assert [it.record.sequence_number for it in page.trials] == [5, 4]
    storage.commit([SaveTrial(trial(4, objective=-1.0)), SaveTrial(trial(6, objective=10.0))])
    storage.commit([SaveTrial(trial(7, objective=3.5))])
    page = page_of(storage, keeper, query, page.positions[-1], 10)
    assert [it.record.sequence_number for it in page.trials] == [7, 3, 2, 1, 0, 4]
    assert (page.total_size, page.revision) == (8, 3)


def test_the_plain_list_is_counted_and_goes_on_by_number() -> None:
    storage, keeper = MemoryStorage(), TableKeeper()
    running = {"status": TrialStatus.RUNNING}
    storage.commit([SaveTrial(trial(number, **(running if number % 2 else {}))) for number in range(6)])
    query = TrialQuery(statuses=[TrialStatus.RUNNING])
    page = page_of(storage, keeper, query, None, 2)
    assert [it.record.sequence_number for it in page.trials] == [1, 3]
    assert (page.total_size, page.has_more, page.positions[-1], page.revision) == (3, True, [3], 1)
    page = page_of(storage, keeper, query, page.positions[-1], 2)
    assert ([it.record.sequence_number for it in page.trials], page.has_more) == ([5], False)
    filtered = TrialQuery(filter="number > 0", statuses=[TrialStatus.WAITING])
    assert [it.record.sequence_number for it in page_of(storage, keeper, filtered, None, 9).trials] == [2, 4]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("objective up", "order_by: character 11: 'up' is not allowed here; allowed is 'asc' or 'desc' or"),
        ("objective desc,", "order_by: character 16: it ends here; allowed is a column's name"),
        ("objective desc number", "order_by: character 16: 'number' is not allowed here; allowed is a comma"),
        ("number, lx", "order_by: character 9: there is no column 'lx'; did you mean 'lr'?"),
        ("-lx", "order_by: character 2: there is no column 'lx'"),
        ("a" * 10_001, "order_by: it has 10001 characters; allowed are 10000"),
    ],
)
def test_what_is_wrong_with_an_order_is_said_where(text: str, complaint: str) -> None:
    storage = MemoryStorage()
    storage.commit([SaveTrial(trial(0, parameters={"lr": 1}))])
    with pytest.raises(InvalidArgumentError) as caught:
        page_of(storage, TableKeeper(), TrialQuery(order_by=text), None, 9)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    "after", [[], [1, 2, 3], [1, "x"], [[], 1], [1, True], [None, 1.5], 3, {"a": 1}, [True, 1]]
)
def test_a_foreign_position_is_refused(after: Any) -> None:
    storage = MemoryStorage()
    storage.commit([SaveTrial(trial(0))])
    with pytest.raises(InvalidArgumentError, match="page_token"):
        page_of(storage, TableKeeper(), TrialQuery(order_by="objective"), after, 9)


@pytest.mark.parametrize("after", [[], ["x"], [-1], [2**63], [1, 2], 5, {}])
def test_a_foreign_position_of_the_plain_list_is_refused(after: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="page_token"):
        page_of(MemoryStorage(), TableKeeper(), TrialQuery(), after, 9)


@given(st.text(max_size=20) | st.text("-, ascde\"'(", max_size=20))
def test_any_text_is_an_order_or_an_error_of_the_caller(text: str) -> None:
    try:
        parsed_order(text)
    except InvalidArgumentError as error:
        assert str(error).startswith("order_by: character ")
