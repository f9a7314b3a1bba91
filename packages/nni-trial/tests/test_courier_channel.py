"""What the courier writes to the manager, and when it goes."""

import os
from collections.abc import Iterator

import pytest
from nni.courier import channel
from nni.courier.channel import LineReader, LineWriter, ManagerGoneError


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    yield reader, writer
    for descriptor in (reader, writer):
        try:
            os.close(descriptor)
        except OSError:
            continue


def received(reader: int) -> bytes:
    try:
        return os.read(reader, 1 << 20)
    except BlockingIOError:
        return b""


def test_what_came_before_the_end_is_read(pipe: tuple[int, int]) -> None:
    reader = LineReader(pipe[0])
    os.write(pipe[1], b"first\nlast\nunfinished")
    os.close(pipe[1])
    assert reader.lines() == [b"first", b"last"]
    with pytest.raises(ManagerGoneError):
        reader.lines()


def test_a_line_at_leisure_goes_with_the_next_that_is_due(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1])
    assert writer.flush_due() == float("inf")
    writer.write("slow", at_leisure=True)
    assert 0 < writer.flush_due() <= channel.LEISURE_SECONDS
    assert received(pipe[0]) == b""
    writer.write("urgent")
    assert writer.flush_due() == float("inf")
    assert received(pipe[0]) == b"slow\nurgent\n"
    assert writer.waiting_bytes == 0


def test_a_line_at_leisure_goes_by_itself_in_time(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "LEISURE_SECONDS", 0.0)
    writer = LineWriter(pipe[1])
    writer.write("slow", at_leisure=True)
    assert writer.flush_due() == float("inf")
    assert received(pipe[0]) == b"slow\n"


def test_what_does_not_fit_waits_and_keeps_its_order(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1])
    lines = [f"{number:06d}" * 1000 for number in range(60)]
    for line in lines:
        writer.write(line)
    writer.flush_due()
    assert writer.is_blocked
    data = b""
    while writer.waiting_bytes:
        data += received(pipe[0])
        writer.flush()
    data += received(pipe[0])
    assert not writer.is_blocked
    assert data.decode().splitlines() == lines


def test_a_manager_that_is_gone_is_noticed(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    writer = LineWriter(pipe[1])
    writer.write("x")
    with pytest.raises(ManagerGoneError):
        writer.flush_due()
