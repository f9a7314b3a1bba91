"""What the docstrings of configuration classes say of their fields: the one source of pages and schema."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nni_config.names import camel_case

if TYPE_CHECKING:
    from nni_config.base import ConfigBase

NOT_BLANK = "not blank"
"""The rule of text with more in it than blanks."""

ONE_OR_MORE = "one or more"
"""The rule of a list that is not empty."""

_ENTRY = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
_PYTHON_WORD = re.compile(r"\b(?:[a-z]+(?:_[a-z]+)+|None)\b")
_YAML_WORDS = {"None": "null"}
_PARTS = re.compile(r"(?P<meaning>.*?)(?: Unit: (?P<unit>[^.]+)\.)?(?: Rule: (?P<rule>.+)\.)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FieldText:
    """What a docstring says of a field: "Meaning. Unit: trials. Rule: not blank; needed here.".

    Attributes:
        meaning: One or more sentences.
        unit: What a number counts, None where that is not said.
        rules: What is allowed beyond what the field's type says.
    """

    meaning: str
    unit: str | None = None
    rules: tuple[str, ...] = ()

    def sentences(self) -> str:
        """Returns all of it as plain text, in the words of YAML."""
        rule = "; ".join(self.rules)
        parts = [self.meaning, f"Unit: {self.unit}." if self.unit else "", f"Rule: {rule}." if rule else ""]
        return in_words_of_yaml(" ".join(part for part in parts if part))


def in_words_of_yaml(text: str, quote: str = "") -> str:
    """Returns a text from a docstring with camelCase fields and null.

    Args:
        text: The text.
        quote: What is written before and after each of these words.
    """
    return _PYTHON_WORD.sub(
        lambda match: f"{quote}{_YAML_WORDS.get(match[0]) or camel_case(match[0])}{quote}", text
    )


def summary(config_class: type[ConfigBase]) -> str:
    """Returns what a class's docstring says before its list of fields; empty if there is no docstring."""
    return inspect.cleandoc(config_class.__doc__ or "").partition("Attributes:")[0].strip()


def field_texts(config_class: type[ConfigBase]) -> dict[str, FieldText]:
    """Returns what is said of each field, by the class itself or by the nearest one that it is made from.

    A field that nobody says anything of is left out.
    """
    said: dict[str, FieldText] = {}
    for each in reversed(config_class.__mro__):
        attributes = inspect.cleandoc(each.__dict__.get("__doc__") or "").partition("Attributes:\n")[2]
        said.update({name: _field_text(text) for name, text in _ENTRY.findall(attributes)})
    return {name: said[name] for name in config_class.model_fields if name in said}


def _field_text(text: str) -> FieldText:
    match = _PARTS.fullmatch(" ".join(text.split()))
    if match is None:  # The pattern matches every text; this is for the type checker.
        return FieldText(text)
    rule = match["rule"]
    return FieldText(match["meaning"], match["unit"], tuple(rule.split("; ")) if rule else ())
