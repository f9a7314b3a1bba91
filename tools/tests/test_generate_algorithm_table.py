"""The page of all algorithms: in step with what is built in and with what the tests find."""

import re
from typing import Any

import generate_algorithm_table as generator
import pytest


def test_the_page_is_in_step() -> None:
    assert generator.main(["--check"]) == 0


def test_each_algorithm_is_there_and_its_page_too() -> None:
    assert generator.ABOUT.keys() == generator.ALGORITHMS.keys()
    text = generator.PAGE.read_text()
    pages = {path.name for path in generator.PAGE.parent.glob("*.md")} - {generator.PAGE.name}
    assert set(re.findall(r"\]\((\w+\.md)\)", text)) == pages
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (generator.PAGE.parent / target).is_file(), target


def test_a_page_that_differs_is_told(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "PAGE", tmp_path / "README.md")
    assert generator.main(["--check"]) == 1
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0
    generator.PAGE.write_text(generator.PAGE.read_text() + "\n")
    assert generator.main(["--check"]) == 1
