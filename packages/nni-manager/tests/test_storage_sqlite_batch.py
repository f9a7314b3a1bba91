from __future__ import annotations

import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from nni_manager.engine.effects import SaveTrial, Write
from nni_manager.storage.sqlite.batch import chunks, write_batch
from nni_manager.storage.sqlite.files import open_for_writing
from nni_manager.storage.values import decode, encode, numeric_entries
from nni_manager.testing.storage import metric, results, trial


@given(count=st.integers(0, 5000), width=st.integers(1, 20))
def test_chunks_are_the_whole_in_few_sizes(count: int, width: int) -> None:
    parts = list(chunks(list(range(count)), width))
    assert [item for part in parts for item in part] == list(range(count))
    assert all(len(part) & (len(part) - 1) == 0 for part in parts)
    assert all(len(part) * width < 32_766 for part in parts)


def test_a_large_batch_takes_few_statements(tmp_path: Path) -> None:
    connection = open_for_writing(tmp_path / "experiment.sqlite")
    write_batch(connection, [SaveTrial(trial(number)) for number in range(64)])
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    writes: list[Write] = [
        results(number, *(metric(number, index, 0.5) for index in range(32)), offset=1, r=31)
        for number in range(64)
    ]
    write_batch(connection, writes)
    connection.close()
    assert len(statements) < 20


def test_the_numbers_in_results_are_rows_of_their_own(tmp_path: Path) -> None:
    connection = open_for_writing(tmp_path / "experiment.sqlite")
    value = {"loss": 2, "acc": math.nan, "up": math.inf, "down": -math.inf, "text": "x", "flag": True}
    write_batch(connection, [SaveTrial(trial(0)), results(0, metric(0, 0, 0.5), metric(0, 1, value))])
    entries = connection.execute("SELECT * FROM metric_entries ORDER BY metric_row, key").fetchall()
    connection.close()
    assert entries == [
        (1, "default", 0.5, "number"),
        (2, "acc", None, "nan"),
        (2, "down", None, "-inf"),
        (2, "loss", 2.0, "number"),
        (2, "up", None, "inf"),
    ]


def test_what_is_no_number_has_no_entry() -> None:
    for value in (None, True, "1", [1.0], {"a": {"b": 1}}, {"a": [1]}, {"\ud800": 1}, 10**400):
        assert numeric_entries(value) == []


NUMBERS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(st.recursive(NUMBERS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_values_come_back_as_they_were(value: object) -> None:
    assert repr(decode(encode(value))) == repr(value)
    assert encode(value).isascii()
