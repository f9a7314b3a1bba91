"""Reads YAML 1.2 and remembers where everything stood."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nni_config.origin import Origin, comparable_path
from nni_config.problems import Problem, Steps
from nni_config.yaml_nodes import Node, Parsed, YamlSyntaxError, parse_yaml

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_MERGE = "<<"
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = ("str", "int", "float", "bool", "null", "timestamp", "value")


class WrittenInt(int):
    """An integer that was written in another way than Python writes it."""

    written: str


class WrittenFloat(float):
    """A number that was written in another way than Python writes it."""

    written: str


@dataclass(slots=True)
class YamlDocument:
    """What a file holds.

    Attributes:
        value: Its value, None when there are problems that left nothing.
        origin: Where the parts of the value stand.
        problems: What is wrong with it as YAML, located.
    """

    value: Any
    origin: Origin
    problems: list[Problem] = field(default_factory=list)


def read_yaml(path: Path) -> YamlDocument:
    """Reads a file of one YAML document in UTF-8.

    Raises:
        OSError: The file cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"byte {error.start + 1} of the file is not UTF-8; allowed is UTF-8 text"
        return YamlDocument(None, _start_of(path), [Problem((), message, location=str(path))])
    return yaml_of_text(text, path)


def yaml_of_text(text: str, path: Path) -> YamlDocument:
    """Returns what a text holds as one YAML document; the path says where it came from."""
    document = YamlDocument(None, _start_of(path))
    try:
        parsed = parse_yaml(text)
    except YamlSyntaxError as error:
        document.problems.append(_syntax_problem(path, error))
        return document
    if parsed.root is not None:
        document.value = _Construction(document, parsed).value_of(parsed.root, ())
    return document


def _start_of(path: Path) -> Origin:
    return Origin(str(path), {(): 1}, {(): ()})


def _syntax_problem(path: Path, error: YamlSyntaxError) -> Problem:
    hint = "; indent with spaces, not with tabs" if "'\\t'" in error.message else ""
    location = f"{path}:{error.line}" if error.line else str(path)
    return Problem((), f"it is not YAML: {error.message}{hint}", location=location)


class _Construction:
    """Makes plain values of YAML's nodes."""

    def __init__(self, document: YamlDocument, parsed: Parsed) -> None:
        self._document = document
        self._is_text_by_tag = parsed.is_text_by_tag
        self._open: set[int] = set()

    def value_of(self, node: Node, path: Steps) -> Any:
        self._remember(node, path)
        if id(node) in self._open:
            self._problem(path, "it contains itself by an alias; allowed are aliases of other parts")
            return None
        self._open.add(id(node))
        try:
            if node.id != "scalar" and str(node.tag) not in (f"{_TAG}map", f"{_TAG}seq"):
                self._problem(path, f"the tag {node.tag} is not supported; allowed are values without a tag")
                return None
            if node.id == "mapping":
                return self._mapping(node, path)
            if node.id == "sequence":
                return [self.value_of(child, (*path, index)) for index, child in enumerate(node.value)]
            return self._scalar(node, path)
        finally:
            self._open.remove(id(node))

    def _remember(self, node: Node, path: Steps) -> None:
        key = comparable_path(path)
        self._document.origin.lines.setdefault(key, node.start_mark.line + 1)
        self._document.origin.spellings.setdefault(key, path)

    def _problem(self, path: Steps, message: str, node: Node | None = None) -> None:
        """Notes a problem at the line where a path was first met, or at the line of a node."""
        problem = self._document.origin.located(Problem(path, message))
        if node is not None:
            line = node.start_mark.line + 1
            problem = replace(problem, location=f"{self._document.origin.file}:{line}", line=line)
        self._document.problems.append(problem)

    def _mapping(self, node: Node, path: Steps) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if key_node.id == "scalar" and key_node.value == _MERGE and not key_node.style:
                self._merge(value_node, path, merged)
                continue
            key = self._key(key_node, path)
            below = (*path, key if isinstance(key, (str, int)) else str(key))
            if key in result:
                first = self._document.origin.lines[comparable_path(below)]
                self._problem(below, f"it is given twice, first in line {first}; allowed is once", key_node)
            # The line of a problem is that of the key, not of the value, which may begin further down.
            self._remember(key_node, below)
            result[key] = self.value_of(value_node, below)
        return {**merged, **result}

    def _merge(self, node: Node, path: Steps, merged: dict[Any, Any]) -> None:
        sources = node.value if node.id == "sequence" else [node]
        for source in sources:
            if source.id != "mapping":
                self._problem(path, "what << merges is not a mapping; allowed is an alias of a mapping")
                return
            for key, value in self._mapping(source, path).items():
                merged.setdefault(key, value)

    def _key(self, node: Node, path: Steps) -> Any:
        if node.id == "scalar":
            return self._scalar(node, path)
        self._problem(path, "a key is a list or a mapping; allowed is text")
        return str(node.value)

    def _scalar(self, node: Node, path: Steps) -> Any:
        tag = str(node.tag).removeprefix(_TAG)
        is_quoted = bool(node.style)
        if tag not in (("str",) if is_quoted else _PLAIN_TAGS):
            self._problem(path, f"the tag {tag} is not supported; allowed are values without a tag")
            return None
        if is_quoted or (tag == "str" and self._is_text_by_tag(node.value)):
            return _joined_surrogates(node.value)
        return scalar_of(node.value)


def _joined_surrogates(text: str) -> str:
    """Returns text with the two halves joined in which JSON writes a character beyond 16 bits."""
    if text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def scalar_of(text: str) -> Any:
    """Returns the value of an unquoted scalar by YAML 1.2's core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        number = int(text, base) if base != 10 else int(text)
        if str(number) == text:
            return number
        integer = WrittenInt(number)
        integer.written = text
        return integer
    if _FLOAT.fullmatch(text):
        value = WrittenFloat(text)
        value.written = text
        return value if float.__repr__(value) != text else float(text)
    return text
