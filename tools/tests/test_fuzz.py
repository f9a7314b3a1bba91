from __future__ import annotations

from pathlib import Path

import pytest
from workspace import fuzz

PROPERTY = """
from hypothesis import given, strategies

@given(strategies.integers(0, 5))
def test_property(number):
    assert number {condition}
"""


@pytest.fixture(autouse=True)
def without_preparation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "prepare_development", lambda: None)


@pytest.mark.parametrize(
    ("test", "code", "words"),
    [
        (PROPERTY.format(condition="< 6"), 0, "1 rounds, every property held"),
        (PROPERTY.format(condition="< 5"), 1, "a property does not hold; round 1 had --hypothesis-seed="),
        ("def test_other(): pass", 5, "no test was selected"),
    ],
)
def test_properties_are_run_and_a_failure_names_its_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], test: str, code: int, words: str
) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(test)
    assert fuzz.main(["--minutes", "0", "--", str(path)]) == code
    assert words in capsys.readouterr().out
