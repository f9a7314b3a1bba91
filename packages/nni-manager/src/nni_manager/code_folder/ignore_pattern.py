r"""The patterns of `.gitignore`, as git matches them.

They are translated to regular expressions. The libraries that do so treat ranges, classes and spaces at the
end unlike git. Other than in git "?" is one character, not one byte of it.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass

_CLASSES = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "blank": " \t",
    "digit": string.digits,
    "lower": string.ascii_lowercase,
    "punct": string.punctuation,
    "space": string.whitespace,
    "upper": string.ascii_uppercase,
    "xdigit": string.hexdigits,
}
_CLASS = re.compile(r"\[:([^]]*):\]")
_FOLDERS = "(?:.+/)?"
_IN_NAME = "[^/]"


@dataclass(frozen=True, slots=True)
class IgnorePattern:
    """A line.

    Attributes:
        expression: Matches the whole path, or its last part.
        whole_path: Whether it is about the path from the file's folder on: it has a "/" before its end.
        folders_only: Whether it is about folders alone: it has a "/" at its end.
        ignores: Whether what matches is ignored; a line with "!" takes it back.
    """

    expression: re.Pattern[str]
    whole_path: bool
    folders_only: bool
    ignores: bool

    def matches(self, path: str, is_folder: bool) -> bool:
        """Whether it is about this path itself, not one that it is in.

        Args:
            path: The path below the file's folder, with "/" between its parts.
            is_folder: Whether it is a folder.
        """
        if self.folders_only and not is_folder:
            return False
        text = path if self.whole_path else path.rpartition("/")[2]
        return self.expression.fullmatch(text) is not None


def ignore_pattern(line: str) -> IgnorePattern | None:
    """Returns a line's pattern, None for a comment and an empty line.

    Args:
        line: The line, without its end.

    Raises:
        ValueError: It can match nothing.
    """
    if line.startswith("#"):
        return None
    line = _without_spaces_at_the_end(line)
    if not line:
        return None
    pattern = line.removeprefix("!")
    folders_only = pattern.endswith("/")
    if folders_only:
        pattern = pattern[:-1]
    if pattern in ("", "/"):
        raise ValueError("it names nothing")
    expression = re.compile(_expression(pattern.removeprefix("/")), re.DOTALL)
    return IgnorePattern(expression, "/" in pattern, folders_only, ignores=not line.startswith("!"))


def _without_spaces_at_the_end(line: str) -> str:
    """Drops spaces at the end, but for one after a backslash."""
    kept = line.rstrip(" ")
    backslashes = len(kept) - len(kept.rstrip("\\"))
    return f"{kept} " if backslashes % 2 and kept != line else kept


def _expression(pattern: str) -> str:
    expression, position = "", 0
    while position < len(pattern):
        begin, character = position, pattern[position]
        position += 1
        if character == "*":
            while pattern[position : position + 1] == "*":
                position += 1
            is_alone = pattern[begin - 1 : begin] in "/" and pattern[position : position + 1] in "/"
            if position - begin == 1 or not is_alone:
                expression += f"{_IN_NAME}*"
            elif position == len(pattern):
                expression += ".+"
            else:
                expression, position = expression + _FOLDERS, position + 1
        elif character == "?":
            expression += _IN_NAME
        elif character == "[":
            brackets, position = _brackets(pattern, position)
            expression += brackets
        else:
            if character == "\\":
                character, position = _at(pattern, position), position + 1
            expression += re.escape(character)
    return expression


def _brackets(pattern: str, position: int) -> tuple[str, int]:
    """Returns the expression for "[...]" and the position behind it.

    Args:
        pattern: What it is in.
        position: The position behind the "[".
    """
    negated = pattern[position : position + 1] in ("!", "^")
    begin = position = position + negated
    members, previous = "", ""
    while (character := _at(pattern, position)) != "]" or position == begin:
        position += 1
        if found := _CLASS.match(pattern, position - 1):
            if found[1] not in _CLASSES:
                raise ValueError(f"{found[0]} is no class of characters")
            members, previous, position = members + re.escape(_CLASSES[found[1]]), "", found.end()
            continue
        if character == "-" and previous and _at(pattern, position) != "]":
            last, position = _character(pattern, position)
            if previous <= last:
                members += f"{re.escape(previous)}-{re.escape(last)}"
            previous = ""
            continue
        if character == "\\":
            character, position = _at(pattern, position), position + 1
        members, previous = members + re.escape(character), character
    if not members:
        return (_IN_NAME if negated else "(?!)"), position + 1
    return f"(?!/)[{'^' * negated}{members}]", position + 1


def _character(pattern: str, position: int) -> tuple[str, int]:
    character = _at(pattern, position)
    if character == "\\":
        return _at(pattern, position + 1), position + 2
    return character, position + 1


def _at(pattern: str, position: int) -> str:
    if position >= len(pattern):
        raise ValueError("it ends too early: a [ has no ], or a \\ nothing behind it")
    return pattern[position]
