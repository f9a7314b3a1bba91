"""Parses YAML 1.2: with libyaml where it gives the same, as it is twenty times as fast, else with ruamel."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import yaml


class Node(Protocol):
    """A part of a document.

    Attributes:
        id: Its kind: "mapping", "sequence" or "scalar".
        tag: Its tag, resolved if none is written.
        value: Pairs of nodes, nodes, or text.
        style: How a scalar is quoted; nothing for one that is not.
        start_mark: Where it begins: `line` counts from 0.
    """

    id: str
    tag: Any
    value: Any
    style: Any
    start_mark: Any


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document.

    Attributes:
        root: Its node, None if there is nothing in it.
        is_text_by_tag: Whether an unquoted scalar with the tag of text has that only by an explicit tag, as
            in !!str 5.
    """

    root: Node | None
    is_text_by_tag: Callable[[str], bool]


class YamlSyntaxError(Exception):
    """A text is not one document of YAML.

    Attributes:
        message: What is wrong.
        line: Where, from 1; None if that is not known.
    """

    def __init__(self, message: str, line: int | None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


_TOKENS_FOR_RUAMEL = re.compile(r"(?:\A|[\s,\[\]{}:?-])[!?|>%]|^\.\.\.|^---", re.MULTILINE)
_CHARACTERS_FOR_RUAMEL = "\t\x85\u2028\u2029\ufeff"


def parse_yaml(text: str) -> Parsed:
    """Returns the one document that a text holds.

    Raises:
        YamlSyntaxError: It holds no YAML, or several documents.
    """
    loader: Any = getattr(yaml, "CSafeLoader", None)
    if loader is not None and not may_differ(text):
        try:
            root: Any = yaml.compose(text, loader)
            return Parsed(root, lambda scalar: False)
        except yaml.YAMLError:
            # Perhaps it is YAML 1.2 all the same; if not, ruamel says better what is wrong.
            pass
    return _parsed_by_ruamel(text)


def may_differ(text: str) -> bool:
    """Returns whether libyaml, which has YAML 1.1 in mind, may read a text in another way.

    That is so with tags, directives, complex keys, block scalars, marks between documents, tabs, and
    characters that ended lines in YAML 1.1.
    """
    # The characters are not in the pattern, since compiling that would take longer than reading most files.
    has_character = any(character in text for character in _CHARACTERS_FOR_RUAMEL)
    return has_character or _TOKENS_FOR_RUAMEL.search(text) is not None


def _parsed_by_ruamel(text: str) -> Parsed:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.nodes import ScalarNode

    ruamel = YAML(typ="safe", pure=True)
    try:
        root = ruamel.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(part for part in (error.context, error.problem) if part)
        raise YamlSyntaxError(message, mark.line + 1 if mark else None) from None
    except YAMLError as error:
        raise YamlSyntaxError(str(error), None) from None
    resolver = ruamel.resolver
    return Parsed(
        root, lambda scalar: resolver.resolve(ScalarNode, scalar, (True, False)) != "tag:yaml.org,2002:str"
    )
