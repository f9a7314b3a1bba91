"""YAML parsed with libyaml and with ruamel: the same values at the same lines, the same errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nni_config import yaml_nodes
from nni_config.yaml_file import yaml_of_text

TOKENS = [*"""ab1~<=-:?,[]{}#&*!|>"'\\@`% """, "\n", "\t", "\x85", "\r\n", "\ufeff", "\u00e9", "\U0001f600"]
TOKENS += ["0o7", "0x1F", "1_0", "1:30", ".5", "1.", "yes", "off", "null", "<<", "2020-01-01", "-.inf", "::1"]
TOKENS += ["- ", ": ", ", ", "  ", "\n  ", "\n- ", "\n  - ", " # c", "a: b\n", "{a: 1}", "[1, 2]", "a\n  b"]
TOKENS += ["&x ", "*x ", "!!str ", "\n---\n", "\n...\n", "|2\n", ">-\n", "http://a:8", '"x"', "'it''s'"]
TOKENS += ['"\\u00e9\\/"', '"\\ud83d\\ude00"', '"a\\\n  b"']
MAY_DIFFER = yaml_nodes.may_differ
texts = st.lists(st.sampled_from(TOKENS), max_size=14).map("".join)
words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


def read(text: str, only_ruamel: bool) -> Any:
    with mock.patch.object(yaml_nodes, "may_differ", (lambda text: True) if only_ruamel else MAY_DIFFER):
        document = yaml_of_text(text, Path("a.yml"))
    # The line of an element that is not written at all is where the parser noticed it.
    lines = {
        path: line for path, line in document.origin.lines.items() if not isinstance((path or ("",))[-1], int)
    }
    return repr(document.value), document.problems, lines


def test_libyaml_is_there_and_used() -> None:
    with mock.patch.object(yaml_nodes, "_parsed_by_ruamel", side_effect=AssertionError):
        assert yaml_of_text("a: [1, {b: 'c'}]\n", Path("a.yml")).value == {"a": [1, {"b": "c"}]}


@given(texts)
@example("<<: {a: 1}\nb: <<\nc: =")
@example("a: 0o7\nb: yes\nc: 1_0\nd: 1:30\ne: 2020-01-01")
@example("a: !!str 5\nb: !!int 5\nc: ! 5\nd: !x 5")
@example("&x a: *x\nb: &y [*y]")
@example("a: 1\na: 2")
@example("[1, 2")
@settings(max_examples=300)
def test_both_read_the_same(text: str) -> None:
    assert read(text, only_ruamel=False) == read(text, only_ruamel=True)


@given(values, st.sampled_from([None, 2]), st.booleans())
def test_both_read_the_same_json(value: Any, indent: int | None, is_ascii: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=is_ascii)
    assert read(text, only_ruamel=False) == read(text, only_ruamel=True)


@given(values, st.booleans())
def test_both_read_the_same_yaml(value: Any, is_flow: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=is_flow, allow_unicode=True, sort_keys=False)
    assert read(text, only_ruamel=False) == read(text, only_ruamel=True)


@pytest.mark.parametrize("text", ["a: |\n  b\n", "? a\n: b", "a: !!str 5", "--- 5", "a:\t5", "a: \u2028"])
def test_what_may_differ_is_read_with_ruamel(text: str) -> None:
    with (
        mock.patch.object(yaml_nodes, "_parsed_by_ruamel", side_effect=LookupError),
        pytest.raises(LookupError),
    ):
        yaml_nodes.parse_yaml(text)


def test_without_libyaml_ruamel_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(yaml, "CSafeLoader")
    assert yaml_of_text("a: [1]", Path("a.yml")).value == {"a": [1]}


def test_ruamel_is_not_loaded_for_a_usual_file() -> None:
    code = (
        "import sys, pathlib, nni_config.yaml_file as y\n"
        "y.yaml_of_text('a: [1, 2]', pathlib.Path('a'))\n"
        "assert not any(name.startswith('ruamel.yaml') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
