"""Reading report files: whatever was written, torn and broken lines included."""

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from nni.courier import reports
from nni.courier.values import timestamp, value_from_json, value_text
from nni_proto import values
from nni_proto.v1 import metric_pb2, value_pb2

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


def line(number: int, value: Any = 0, **other: Any) -> bytes:
    content = {"k": "i", "r": "1-a", "n": number, "t": 1700000000.25, "v": value, **other}
    return json.dumps(content).encode() + b"\n"


def read_all(path: Path, complete: bool = True) -> tuple[list[metric_pb2.MetricReport], list[str], int]:
    found, problems, position = [], [], 0
    while True:
        batch = reports.read_batch(str(path), position, complete)
        if batch.problem:
            problems.append(batch.problem)
        if batch.end == position:
            return found, problems, position
        found += [json_format.Parse(text, metric_pb2.MetricReport()) for text in batch.reports]
        position = batch.end


@given(json_values)
def test_values_are_those_of_the_protocol(value: Any) -> None:
    message = json_format.Parse(value_text(value), value_pb2.Value())
    expected = json.dumps(value)
    assert json.dumps(values.from_message(message)) == expected
    back = value_from_json(json_format.MessageToDict(values.to_message(value)))
    assert json.dumps(back) == expected


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, "\ud800", {"\udfff": 1}, [[2**64]]])
def test_values_the_protocol_cannot_hold_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"64 bits|surrogates"):
        value_text(value)


@pytest.mark.parametrize("message", [{}, {"intValue": "1", "boolValue": True}, {"other": 1}, [], None])
def test_what_is_no_value_is_refused(message: Any) -> None:
    with pytest.raises(ValueError, match=r"not a value|unpack"):
        value_from_json(message)


def test_depth_is_that_of_the_protocol() -> None:
    deepest: Any = 0
    for _ in range(values.MAX_DEPTH):
        deepest = [deepest]
    values.to_message(json_format.MessageToDict(values.to_message(deepest)) and deepest)
    assert value_text(deepest)
    with pytest.raises(ValueError, match="30 levels"):
        value_text([deepest])
    with pytest.raises(ValueError, match="30 levels"):
        values.to_message([deepest])


@given(st.floats(0, 253402300799))
def test_timestamps_are_exact_to_the_microsecond(seconds: float) -> None:
    report = json_format.Parse(f'{{"reportTime":"{timestamp(seconds)}"}}', metric_pb2.MetricReport())
    nanos = report.report_time.ToNanoseconds()
    assert math.isclose(nanos / 1e9, seconds, rel_tol=1e-15, abs_tol=0.6e-6)


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf, 1e18])
def test_what_is_no_time_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="not a time"):
        timestamp(seconds)


@given(st.lists(json_values, max_size=20), st.data())
def test_however_a_file_grows_every_report_is_read_once(
    tmp_path_factory: pytest.TempPathFactory, found: list[Any], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("reports") / "reports.jsonl"
    content = b"".join(line(number, value) for number, value in enumerate(found))
    cuts = data.draw(st.lists(st.integers(0, len(content)), max_size=5).map(sorted))
    numbers, texts, position, written = [], [], 0, 0
    for cut in [*cuts, len(content)]:
        with path.open("ab") as file:
            file.write(content[written:cut])
        written = cut
        batch = reports.read_batch(str(path), position, complete=False)
        position = batch.end
        for text in batch.reports:
            report = json_format.Parse(text, metric_pb2.MetricReport())
            numbers.append(report.number)
            texts.append(json.dumps(values.from_message(report.value)))
    assert numbers == list(range(len(found)))
    assert texts == [json.dumps(value) for value in found]
    assert position == len(content)


def test_batches_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "reports.jsonl"
    path.write_bytes(b"".join(line(number) for number in range(25)))
    monkeypatch.setattr(reports, "MAX_REPORTS", 10)
    assert len(reports.read_batch(str(path), 0, complete=False).reports) == 10
    monkeypatch.setattr(reports, "MAX_BYTES", 3 * len(line(10)))
    assert 2 <= len(reports.read_batch(str(path), 0, complete=False).reports) <= 3
    assert [report.number for report in read_all(path)[0]] == list(range(25))


def test_a_line_longer_than_a_batch_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MAX_BYTES", 100)
    path = tmp_path / "reports.jsonl"
    path.write_bytes(line(0, "x" * 5000) + line(1) + line(2, "y" * 3000))
    found, problems, _ = read_all(path)
    assert [report.number for report in found] == [0, 1, 2]
    assert problems == []


def test_a_line_too_long_for_a_message_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MAX_BYTES", 100)
    monkeypatch.setattr(reports, "MAX_LINE_BYTES", 2000)
    path = tmp_path / "reports.jsonl"
    path.write_bytes(line(0, "x" * 50_000) + line(1))
    found, problems, _ = read_all(path)
    assert [report.number for report in found] == [1]
    assert problems


BROKEN = [
    b"\xff\xfe\n",
    b"{\n",
    b"[]\n",
    b"null\n",
    b"1\n",
    b'{"k": "i"}\n',
    line(-1),
    line(2**63),
    line(True),
    line(0, 2**64),
    line(0, k="x"),
    line(0, k=[]),
    line(0, r=1),
    b'{"k":"i","r":"a","n":0,"t":1,"v":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
    b'{"k":"i","r":"a","n":0,"t":1,"v":"\\ud800"}\n',
    b"\0\0\0\n",
]


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_lines_are_told_and_skipped(tmp_path: Path, broken: bytes) -> None:
    path = tmp_path / "reports.jsonl"
    path.write_bytes(line(0) + broken + broken + line(1))
    found, problems, position = read_all(path)
    assert [report.number for report in found] == [0, 1]
    assert len(problems) == 1
    assert "2 unreadable lines" in problems[0]
    assert position == path.stat().st_size


IMPOSSIBLE_TIMES = [
    line(0, t="now"),
    line(0, t=-5),
    line(0, t=None),
    line(0, t=10**400),
    line(0, t=float("nan")),
    line(0, t=float("-inf")),
    b'{"k":"i","r":"a","n":0,"t":1e999,"v":0}\n',
    b'{"k":"i","r":"a","n":0,"v":0}\n',
]


@pytest.mark.parametrize("impossible", IMPOSSIBLE_TIMES)
def test_a_clock_gone_wrong_costs_no_result(tmp_path: Path, impossible: bytes) -> None:
    path = tmp_path / "reports.jsonl"
    path.write_bytes(impossible)
    before = time.time()
    (found,), problems, _ = read_all(path)
    assert problems == []
    assert before - 1 <= found.report_time.ToMicroseconds() / 1e6 <= time.time() + 1


def test_an_unfinished_line_waits_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    path.write_bytes(line(0) + line(1)[:-1])
    assert len(read_all(path, complete=False)[0]) == 1
    found, problems, _ = read_all(path)
    assert len(found) == 2
    assert problems == []
    path.write_bytes(line(0) + line(1)[:-9])
    found, problems, _ = read_all(path)
    assert len(found) == 1
    assert len(problems) == 1


def test_a_file_that_became_shorter_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    path.write_bytes(line(5))
    batch = reports.read_batch(str(path), 1000, complete=False)
    assert batch.end == 0
    assert "shorter" in batch.problem


def test_no_file_is_an_empty_one(tmp_path: Path) -> None:
    assert reports.read_batch(str(tmp_path / "none"), 0, complete=True) == ([], 0, "")
