"""Writes docs/configuration from the configuration classes, or checks that it is in step.

    .venv/bin/python tools/generate_config_docs.py           writes the pages
    .venv/bin/python tools/generate_config_docs.py --check   exits with 1 and names the pages that differ

What a field means, its unit and its rules come from the docstring of its class, its type and default from the
class itself, the example from docs/configuration/examples.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import nni_config
from nni_config import ConfigBase, schema_values
from nni_config.field_texts import field_texts, in_words_of_yaml, summary
from nni_config.fields import INT32_MAX, FieldKind, field_kinds, is_required
from nni_config.json_schema import class_schema
from nni_config.names import camel_case
from nni_config.platforms import PLATFORMS
from nni_config.starting import NOT_RUN

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "configuration"
"""The folder of the pages."""

EXAMPLES = FOLDER / "examples"
"""The folder of the examples, one for each class."""

WRITTEN_BY_HAND = ("editors.md",)
"""Pages in the folder that are not made from the classes."""

_WIDTH = 110
_NOTICE = "<!-- Made by tools/generate_config_docs.py from the classes and their docstrings. -->"
_INTRODUCTION = """
The configuration of an experiment is a YAML file, or an `ExperimentConfig` in Python. Each class has a page
with its fields. The pages have the names of YAML, in camelCase; in Python the same names are in snake_case,
and null is None. Case and underscores do not matter in either.

A field that is not set need not be written. What "must be set" may be assigned later in Python, but before an
experiment starts."""
_SEE_ALSO = """
[Editors](editors.md) complete and check files with the JSON Schema that `nnictl config schema` writes.
[Migrating](../migrating.md) says how files in NNI's V1 form are converted."""


@dataclass(frozen=True, slots=True)
class FieldType:
    """What a field takes.

    Attributes:
        name: The type's name.
        unit: The unit of a number without one.
        rule: What is allowed; empty if there is no rule.
    """

    name: str
    unit: str = ""
    rule: str = ""


_DURATION = FieldType(
    "duration", "seconds", 'a number above 0, or text with a unit of d, h, m or s such as "90m" or "1.5h"'
)
_MEMORY_SIZE = FieldType(
    "size of memory", "MiB", 'a number above 0, or text with a unit of tb, gb, mb, kb or b such as "8gb"'
)
_GPUS = FieldType("GPUs", "indices", 'whole numbers from 0, each once: 0, "0,1" or [0, 1]')
_FAILED_TRIAL_RESULT = FieldType("number or choice", rule='"ignore", "worst" or a number')
_TEXTS = FieldType("list of texts", rule="texts that are not blank, or a single one")
_BY_SCHEMA = (
    (schema_values.DURATION, _DURATION),
    (schema_values.MEMORY_SIZE, _MEMORY_SIZE),
    (schema_values.GPU_INDICES, _GPUS),
    (schema_values.FAILED_TRIAL_RESULT, _FAILED_TRIAL_RESULT),
    (schema_values.TEXTS, _TEXTS),
)
_SECRET = FieldType("secret", rule="text, never shown")
_PATH = FieldType("path", rule="a path")
_BOOLEAN = FieldType("true or false", rule="true or false")

_TYPES = (
    ("whole number", f"{INT32_MAX} at most"),
    (_DURATION.name, f"{_DURATION.rule}; 100 years at most"),
    (_MEMORY_SIZE.name, f"{_MEMORY_SIZE.rule}; rounded up to whole MiB"),
    (_GPUS.name, _GPUS.rule),
    (_BOOLEAN.name, "true, false; also yes, no, on, off"),
    ("text", "text, or a number, which is taken as it is written"),
    (_SECRET.name, "text that is never shown, logged or kept in the record of an experiment"),
    (_PATH.name, "a relative one leads from the folder of the YAML file; ~ is the home folder"),
    ("choice", "one of the texts that are listed"),
    (_FAILED_TRIAL_RESULT.name, "one of the texts that are listed, or a number"),
    ("object", "names with values"),
    ("list of objects", "a list whose elements are names with values"),
    ("every type", "no ${placeholder} of a template that was not filled in, but for commands"),
)
"""What the index says of the types."""


def documented_classes() -> list[type[ConfigBase]]:
    """Returns the classes that have a page, in the order of the index."""
    classes = [getattr(nni_config, name) for name in nni_config.__all__ if name != "ConfigBase"]
    found = [each for each in classes if isinstance(each, type) and issubclass(each, ConfigBase)]
    platforms = [place.partition(".")[0] for place in PLATFORMS.values()]
    modules = ["experiment", "algorithm", "training_service", *platforms, "k8s_storage", "shared_storage"]
    ranks = {f"nni_config.{module}": rank for rank, module in enumerate(modules)}
    # Within a module, what stands around before what stands inside, and a class before those made from it.
    return sorted(found, key=lambda each: (ranks[each.__module__], len(each._place or ""), len(each.__mro__)))


def pages() -> dict[str, str]:
    """Returns the text of every page by its file's name."""
    classes = documented_classes()
    return {"README.md": _index(classes), **{f"{each.__name__}.md": page(each) for each in classes}}


def page(config_class: type[ConfigBase]) -> str:
    """Returns the page of a class."""
    name = config_class.__name__
    silent = config_class.model_fields.keys() - field_texts(config_class).keys()
    if silent:
        raise SystemExit(f"the docstring of {name} says nothing of {', '.join(sorted(silent))}")
    rows = [_row(config_class, field) for field in config_class.model_fields]
    parts = [
        f"# {name}",
        _NOTICE,
        *_paragraphs(in_words_of_yaml(summary(config_class), "`")),
        *_paragraphs(" ".join(_places(config_class))),
        "## Fields",
        table(("field", "type", "default", "unit"), rows),
        "\n".join(_described(config_class)),
        "## Example",
        f"[examples/{name}.yml](examples/{name}.yml):",
        f"```yaml\n{(EXAMPLES / f'{name}.yml').read_text(encoding='utf-8').rstrip()}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _index(classes: Sequence[type[ConfigBase]]) -> str:
    rows = [
        (f"[{each.__name__}]({each.__name__}.md)", f"`{_place(each)}`" if _place(each) else "", _first(each))
        for each in classes
    ]
    parts = [
        "# Configuration",
        _NOTICE,
        *_paragraphs(_INTRODUCTION),
        table(("class", "place in YAML", "what it is"), rows),
        "## Types",
        table(("type", "what is allowed"), _TYPES),
        *_paragraphs(_SEE_ALSO),
    ]
    return "\n\n".join(parts) + "\n"


def _first(config_class: type[ConfigBase]) -> str:
    """Returns the first line of a class's docstring, and whether trials are run so."""
    line = summary(config_class).partition("\n")[0]
    is_told = _platform(config_class) not in NOT_RUN or "does not run" in line
    return line if is_told else f"{line} This version does not run them."


def _platform(config_class: type[ConfigBase]) -> Any:
    field = config_class.model_fields.get("platform")
    return None if field is None else field.default


def _place(config_class: type[ConfigBase]) -> str:
    return ".".join(camel_case(step) for step in (config_class._place or "").split("."))


def _places(config_class: type[ConfigBase]) -> Iterator[str]:
    platform = _platform(config_class)
    if _place(config_class):
        rest = f" with `platform: {platform}`" if platform else ""
        yield f"In YAML it stands at `{_place(config_class)}`{rest}."
    yield f"In Python it is `nni.experiment.config.{config_class.__name__}`."
    if platform in NOT_RUN:
        yield f"This version does not run trials there; to have them run {NOT_RUN[platform]}."


def _row(config_class: type[ConfigBase], name: str) -> tuple[str, str, str, str]:
    field = config_class.model_fields[name]
    field_type = type_of(config_class, name)
    unit = field_texts(config_class)[name].unit or field_type.unit
    default = "not set" if field.default is None else f"`{json.dumps(field.default)}`"
    return f"`{camel_case(name)}`", field_type.name, "must be set" if is_required(field) else default, unit


def _described(config_class: type[ConfigBase]) -> Iterator[str]:
    for name, said in field_texts(config_class).items():
        # Which platforms there are is a rule of the base class alone.
        own_rules = () if name == "platform" and _platform(config_class) else said.rules
        rules = [rule for rule in (type_of(config_class, name).rule, *own_rules) if rule]
        text = in_words_of_yaml(f"{said.meaning} Rule: {'; '.join(rules)}.", "`")
        yield _filled(f"- `{camel_case(name)}`: {text}", "  ")


def type_of(config_class: type[ConfigBase], name: str) -> FieldType:
    """Returns what a field takes, as the class itself says."""
    kind = field_kinds(config_class)[name]
    schema = _properties(config_class)[camel_case(name)]
    alternatives = [each for each in schema.get("anyOf", [schema]) if each != {"type": "null"}]
    for known, field_type in _BY_SCHEMA:
        if alternatives == known["anyOf"]:
            return field_type
    if kind.config_class is not None:
        return _nested_type(kind.config_class.__name__, kind)
    for fits, field_type in ((kind.is_secret, _SECRET), (kind.is_path, _PATH), (kind.is_bool, _BOOLEAN)):
        if fits:
            return field_type
    return FieldType("text") if kind.is_text else _plain_type(alternatives[0])


@cache
def _properties(config_class: type[ConfigBase]) -> dict[str, Any]:
    properties: dict[str, Any] = class_schema(config_class)["properties"]
    return properties


def _nested_type(name: str, kind: FieldKind) -> FieldType:
    link = f"[{name}]({name}.md)"
    if kind.must_be_list:
        return FieldType(f"list of {link}", rule=f"each with the fields of {name}")
    return FieldType(f"{link}, or a list" if kind.may_be_list else link, rule=f"the fields of {name}")


def _plain_type(schema: dict[str, Any]) -> FieldType:
    choices = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if choices:
        texts = ", ".join(json.dumps(each) for each in choices)
        return FieldType("choice", rule=f"one of {texts}" if len(choices) > 1 else texts)
    if schema.get("type") == "integer":
        return FieldType("whole number", rule=f"a whole number{_bounds(schema)}")
    if schema.get("type") == "array":
        return FieldType("list of objects", rule="a list, each element of names with values")
    return FieldType("object") if schema.get("type") == "object" else FieldType("any value")


def _bounds(schema: dict[str, Any]) -> str:
    low = schema["exclusiveMinimum"] + 1 if "exclusiveMinimum" in schema else schema.get("minimum")
    high = schema.get("maximum", INT32_MAX)
    return ("" if low is None else f" from {low}") + ("" if high == INT32_MAX else f" to {high}")


def _paragraphs(text: str) -> list[str]:
    """Returns the paragraphs of a text, wrapped."""
    return [_filled(" ".join(each.split())) for each in text.split("\n\n") if each.strip()]


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table whose columns line up in the source."""
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    lines = [heads, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def differing_pages() -> list[str]:
    """Returns the names of pages that are missing, stale or left over."""
    fresh = pages()
    paths = [path for path in FOLDER.glob("*.md") if path.name not in WRITTEN_BY_HAND]
    there = {path.name: path.read_text(encoding="utf-8") for path in paths}
    return sorted(name for name in fresh.keys() | there.keys() if fresh.get(name) != there.get(name))


def write_pages() -> None:
    """Writes the pages, and removes those of classes that are gone."""
    fresh = pages()
    for name in differing_pages():
        if name in fresh:
            (FOLDER / name).write_text(fresh[name], encoding="utf-8")
        else:
            (FOLDER / name).unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="change nothing, fail when a page is out of step"
    )
    if not parser.parse_args(arguments).check:
        write_pages()
        return 0
    stale = differing_pages()
    for name in stale:
        print(
            f"docs/configuration/{name} is out of step with the classes; run tools/generate_config_docs.py",
            file=sys.stderr,
        )
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
