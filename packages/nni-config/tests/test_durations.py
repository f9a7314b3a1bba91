"""Durations as text and numbers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_config import parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1.5h", 5400.0),
        ("90m", 5400.0),
        ("2D", 172800.0),
        (" 3 s ", 3.0),
        (".5m", 30.0),
        ("1e1s", 10.0),
        (60, 60.0),
        (0.25, 0.25),
    ],
)
def test_durations(written: Any, seconds: float) -> None:
    assert parse_duration(written) == seconds
    assert type(parse_duration(written)) is float


@pytest.mark.parametrize(
    "written",
    [
        *("", "h", "60", "1 hour", "1h30m", "ten", "-5s", "0s", "1,5h", "nan", "infs", "1e999d", "40000d"),
        *(0, -5, 0.0, float("nan"), float("inf"), 2**40, True, None, [], {}),
    ],
)
def test_what_is_no_duration_is_told_what_is(written: Any) -> None:
    with pytest.raises(
        ValueError, match=r'allowed is a number of seconds above 0, or text with a unit .* "1\.5h"'
    ):
        parse_duration(written)


@given(st.floats(0.001, 10_000), st.sampled_from([("d", 86400), ("h", 3600), ("m", 60), ("s", 1)]))
def test_text_and_numbers_mean_the_same(number: float, unit: tuple[str, int]) -> None:
    assert parse_duration(f"{number!r}{unit[0]}") == pytest.approx(parse_duration(number * unit[1]))
