"""Spellings of options that NNI's nnictl took: unique beginnings, underscores, and -p=8080."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from typer.core import TyperCommand


class Command(TyperCommand):
    """A command whose options may be spelled in each way that NNI's nnictl took."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses a command line; see `Command.parse_args` of click.

        Args:
            ctx: The context of the call.
            args: The words after the command's name.
        """
        try:
            words = spelled_out(args, options_of(self))
        except AmbiguousOptionError as error:
            if not ctx.resilient_parsing:
                ctx.fail(str(error))
            words = args
        return super().parse_args(ctx, words)


class Option(NamedTuple):
    """An option of a command.

    Attributes:
        names: Its spellings, such as "--port" and "-p".
        takes_value: Whether a value follows.
    """

    names: Sequence[str]
    takes_value: bool


class AmbiguousOptionError(ValueError):
    """The beginning of an option fits several."""


def spelled_out(words: Sequence[str], options: Sequence[Option]) -> list[str]:
    """Returns a command line with each option's name in full.

    A word that fits no option stays as it is, for the parser to complain about.

    Args:
        words: The command line.
        options: What the command has.

    Raises:
        AmbiguousOptionError: A word fits several options; the text names them.
    """
    return list(_spelled_out(words, options))


def _spelled_out(words: Sequence[str], options: Sequence[Option]) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        if word == "--":
            yield word
            break
        name, equals, value = word.partition("=")
        found = _find(name, options)
        if found is None:
            yield word
            continue
        option, full_name = found
        yield f"{full_name}={value}" if equals and name.startswith("--") else full_name
        if equals and not name.startswith("--"):
            yield value
        elif not equals and option.takes_value:
            yield from _next(rest)  # a value, whatever it looks like
    yield from rest


def _next(words: Iterator[str]) -> Iterator[str]:
    for word in words:
        yield word
        return


def _find(given: str, options: Sequence[Option]) -> tuple[Option, str] | None:
    """Returns the option that is meant and its name in full."""
    if not given.startswith("--"):
        return next(((it, given) for it in options if given in it.names), None)
    wanted = given.replace("_", "-")
    fitting: dict[str, Option] = {}
    for option in options:
        for name in option.names:
            if name.replace("_", "-") == wanted:
                return option, name
            if name.startswith("--") and name.replace("_", "-").startswith(wanted):
                fitting.setdefault(name, option)
    if len({id(option) for option in fitting.values()}) > 1:
        raise AmbiguousOptionError(f"{given} could be {' or '.join(fitting)}")
    return next(((option, name) for name, option in fitting.items()), None)


def options_of(command: TyperCommand) -> list[Option]:
    """Returns the options of a command."""
    found = [Option(("--help", "-h"), False)]
    for parameter in command.params:
        if parameter.param_type_name == "option":
            takes_value = not (getattr(parameter, "is_flag", False) or getattr(parameter, "count", False))
            found.append(Option((*parameter.opts, *parameter.secondary_opts), takes_value))
    return found
