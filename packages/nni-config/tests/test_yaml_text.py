"""What is written as YAML is read back as the same, numbers as they were written."""

from __future__ import annotations

from pathlib import Path

import pytest
from nni_config.yaml_file import read_yaml, scalar_of
from nni_config.yaml_text import yaml_text

NUMBERS = [
    "1",
    "012",
    "0x1F",
    "0o17",
    "+5",
    "1e-5",
    "1E5",
    "5.",
    ".5",
    "-.5e3",
    "1.50",
    "12e03",
    ".inf",
    "-.INF",
    ".NaN",
]
TEXTS = [
    "true",
    "NULL",
    "~",
    "",
    "yes",
    "<<",
    "=",
    "- x",
    "a: b",
    "a #b",
    "two\nlines\n",
    "\x85",
    "😀",
    " x ",
    "'\"",
    "2020-01-01",
]


def read_back(folder: Path, text: str) -> object:
    path = folder / "x.yml"
    path.write_bytes(text.encode())
    document = read_yaml(path)
    assert document.problems == []
    return document.value


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_stays_as_it_was_written(number: str) -> None:
    assert yaml_text({"a": scalar_of(number)}).lower() == f"a: {number}\n".lower()


@pytest.mark.parametrize("text", [*NUMBERS, *TEXTS])
def test_text_stays_text(tmp_path: Path, text: str) -> None:
    value = {"a": text, "b": [text, {text: text}]}
    assert repr(read_back(tmp_path, yaml_text(value))) == repr(value)


def test_order_nesting_and_long_lines(tmp_path: Path) -> None:
    value = {"z": {"y": [[], {}, [1, [None, {"c": True}]]]}, "a": "word " * 500, "m": 0.1}
    written = yaml_text(value)
    assert repr(read_back(tmp_path, written)) == repr(value)
    assert written.count("\n") == 9


def test_what_is_in_two_places_is_written_twice() -> None:
    part = {"x": 1}
    assert yaml_text({"a": part, "b": part}) == "a:\n  x: 1\nb:\n  x: 1\n"
