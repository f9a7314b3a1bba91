"""Reads YAML 1.2 and remembers where everything stood."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from nni_config.origin import Origin, comparable_path
from nni_config.problems import Problem, Steps

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
        yaml = YAML(typ="safe", pure=True)
        node = yaml.compose(text)
    except YAMLError as error:
        document.problems.append(_syntax_problem(path, error))
        return document
    if node is not None:
        document.value = _Construction(document, yaml.resolver).value_of(node, ())
    return document


def _start_of(path: Path) -> Origin:
    return Origin(str(path), {(): 1}, {(): ()})


def _syntax_problem(path: Path, error: YAMLError) -> Problem:
    if not isinstance(error, MarkedYAMLError):
        return Problem((), f"it is not YAML: {error}", location=str(path))
    mark = error.problem_mark or error.context_mark
    message = " ".join(part for part in (error.context, error.problem) if part)
    hint = "; indent with spaces, not with tabs" if "'\\t'" in message else ""
    location = f"{path}:{mark.line + 1}" if mark else str(path)
    return Problem((), f"it is not YAML: {message}{hint}", location=location)


class _Construction:
    """Makes plain values of YAML's nodes."""

    def __init__(self, document: YamlDocument, resolver: Any) -> None:
        self._document = document
        self._resolver = resolver
        self._open: set[int] = set()

    def value_of(self, node: Node, path: Steps) -> Any:
        self._remember(node, path)
        if id(node) in self._open:
            self._problem(path, "it contains itself by an alias; allowed are aliases of other parts")
            return None
        self._open.add(id(node))
        try:
            if not isinstance(node, ScalarNode) and str(node.tag) not in (f"{_TAG}map", f"{_TAG}seq"):
                self._problem(path, f"the tag {node.tag} is not supported; allowed are values without a tag")
                return None
            if isinstance(node, MappingNode):
                return self._mapping(node, path)
            if isinstance(node, SequenceNode):
                return [self.value_of(child, (*path, index)) for index, child in enumerate(node.value)]
            if isinstance(node, ScalarNode):
                return self._scalar(node, path)
            raise AssertionError(f"unknown kind of node: {node}")
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

    def _mapping(self, node: MappingNode, path: Steps) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if isinstance(key_node, ScalarNode) and key_node.value == _MERGE and not key_node.style:
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
        sources = node.value if isinstance(node, SequenceNode) else [node]
        for source in sources:
            if not isinstance(source, MappingNode):
                self._problem(path, "what << merges is not a mapping; allowed is an alias of a mapping")
                return
            for key, value in self._mapping(source, path).items():
                merged.setdefault(key, value)

    def _key(self, node: Node, path: Steps) -> Any:
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        self._problem(path, "a key is a list or a mapping; allowed is text")
        return str(node.value)

    def _scalar(self, node: ScalarNode, path: Steps) -> Any:
        tag = str(node.tag).removeprefix(_TAG)
        is_quoted = node.style is not None
        if tag not in (("str",) if is_quoted else _PLAIN_TAGS):
            self._problem(path, f"the tag {tag} is not supported; allowed are values without a tag")
            return None
        if is_quoted or (tag == "str" and self._resolves_to_other_than_text(node.value)):
            return _joined_surrogates(node.value)
        return scalar_of(node.value)

    def _resolves_to_other_than_text(self, text: str) -> bool:
        """Returns whether a plain scalar can be text only by an explicit tag, as in !!str 5."""
        return bool(self._resolver.resolve(ScalarNode, text, (True, False)) != f"{_TAG}str")


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
