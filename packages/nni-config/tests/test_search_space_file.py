"""Files with search spaces: JSON as people write it, and YAML."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nni_config import ExperimentConfig, InvalidConfigError
from nni_config.search_space_file import read_search_space

SPACE = {"x": {"_type": "choice", "_value": [1, 2]}}


@pytest.mark.parametrize(
    "text",
    [
        '{"x": {"_type": "choice", "_value": [1, 2]}}',
        '\ufeff{"x": {"_type": "choice", "_value": [1, 2]}}\r\n',
        '{\n\t"x": {\n\t\t"_type": "choice",\n\t\t"_value": [1, 2]\n\t}\n}\n',
        '{\n\t"x": {\n\t\t"_type": "choice",\n\t\t"_value": [1, 2,],\n\t},\n}\n',
        '{"x": {"_type": "choice", "_value": [1, 2]},}',
        '# a comment\n{"x": {"_type": "choice", "_value": [1, 2]}}  # another\n',
        '// a comment\n{"x": {"_type": "choice", // of\n"_value": [1, 2]}}  // another\n',
        '{"x": /* a\ncomment */ {"_type": "choice", "_value": [1, /* not 7 */ 2],},}',
        "x:\n  _type: choice\n  _value: [1, 2]\n",
        "x:\n  _type: choice\n  _value:\n  - 1\n  - 2  # the last\n",
        "{x: {_type: choice, _value: [1, 2]}}",
    ],
)
def test_what_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "space"
    path.write_text(text, encoding="utf-8")
    assert read_search_space(path) == SPACE


@pytest.mark.parametrize("text", ['{"x": "a//b /* c */ d"}', '{x: "a//b /* c */ d"}', "x: a//b /* c */ d"])
def test_what_looks_like_a_comment_in_text_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "space"
    path.write_text(text)
    assert read_search_space(path) == {"x": "a//b /* c */ d"}


def test_an_address_in_yaml_is_no_comment(tmp_path: Path) -> None:
    path = tmp_path / "space"
    path.write_text("{x: http://example.com/a, y: [http://b]}")
    assert read_search_space(path) == {"x": "http://example.com/a", "y": ["http://b"]}


def test_json_with_commas_and_comments_is_not_read_as_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As YAML, 3 MB would take many seconds."""
    monkeypatch.setattr("nni_config.yaml_file.yaml_of_text", None)
    options = [f'option {number}, "of", many, [ {{ ,}} // ]' for number in range(50_000)]
    text = ",\n".join(json.dumps(option) for option in options)
    path = tmp_path / "space"
    path.write_text(f'{{"x": {{"_type": "choice", // all\n"_value": [{text} ,\n\t],}},}}')
    assert read_search_space(path) == {"x": {"_type": "choice", "_value": options}}


@pytest.mark.parametrize("text", ["{,}", "[,]", "[ ,]", "[1,,]", '{"x": [1,, 2]}'])
def test_commas_behind_nothing_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "space"
    path.write_text(text)
    with pytest.raises(ValueError, match="it is not JSON"):
        read_search_space(path)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'{"x": \xff}', "byte 7 is not UTF-8"),
        (b'{"x": 1, "x": 2}', "the key 'x' is given twice in one object"),
        (b'{"x": 1, "x": 2,}', "the key 'x' is given twice in one object"),
        (b"x: 1\nx: 2\n", "it is given twice, first in line 1"),
        (b'{"x": [', "it is not JSON"),
        (b"", "there is nothing in it"),
        (b"// nothing\n{", "it is not JSON"),
        (b"null", "there is nothing in it"),
    ],
)
def test_what_is_refused(valid_config: ExperimentConfig, tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "space"
    path.write_bytes(content)
    valid_config.search_space = None
    valid_config.search_space_file = path
    with pytest.raises(InvalidConfigError) as error:
        valid_config.validate()
    assert text in str(error.value)
    assert f'search_space_file: Failed to load search space file "{path}"' in str(error.value)


@pytest.mark.parametrize("content", [b"[1, 2]", b'"text"', b"5", b"true", b"{}"])
def test_what_is_no_search_space(valid_config: ExperimentConfig, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "space.json"
    path.write_bytes(content)
    valid_config.search_space_file = path
    with pytest.raises(InvalidConfigError, match=r"space\.json:1: .*; allowed|space\.json:1: it is empty"):
        valid_config.validate()


def test_lines_behind_comments_are_right(valid_config: ExperimentConfig, tmp_path: Path) -> None:
    path = tmp_path / "space.json"
    path.write_text('// one\n/* two\nthree */\n{"x": {"_type": "choice",\n"_value": []}}\n')
    valid_config.search_space_file = path
    with pytest.raises(InvalidConfigError, match=r"space\.json:5: x\._value: it is empty"):
        valid_config.validate()


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.text(max_size=9) | st.integers(-(2**63), 2**63 - 1) | st.lists(st.text('a"\\/*#', max_size=9)),
        min_size=1,
    ),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_json_reads_as_itself(tmp_path: Path, value: Any, indent: Any, ascii_only: bool) -> None:
    path = tmp_path / "space"
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    if any("\ud800" <= character <= "\udfff" for character in text):
        return
    assert read_search_space(path) == value
    path.write_text(f"// {text!r}\n{text} /* {'*'} */")
    assert read_search_space(path) == value
