"""Reads filters and orders.

A filter is such as `status = FAILED and lr > 1e-3 and layer0._name in (Conv)`, an order such as
`objective desc, number` or `-objective, number`.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from itertools import islice
from typing import Any, cast

from lark import Lark, Token, Transformer, UnexpectedInput, UnexpectedToken, v_args
from lark.parsers.lalr_interactive_parser import InteractiveParser

from nni_manager.experiments.errors import InvalidArgumentError
from nni_manager.experiments.trial_table.expressions import (
    Comparison,
    Conjunction,
    Disjunction,
    Expression,
    Literal,
    Membership,
    Name,
    Negation,
    OrderTerm,
    Presence,
)

_LONGEST = 10_000
_DEEPEST = 100

_GRAMMAR = r"""
?filter: conjunction (_OR conjunction)*   -> disjunction
?conjunction: negation (_AND negation)*
?negation: _NOT negation                  -> negated
    | _OPEN filter _CLOSE
    | _HAS _OPEN name _CLOSE              -> presence
    | name OPERATOR literal               -> comparison
    | name _IN _OPEN literals _CLOSE      -> is_in
    | name _NOT _IN _OPEN literals _CLOSE -> is_not_in
literals: literal (_COMMA literal)*

order: term (_COMMA term)*
term: name DIRECTION?

name: WORD | QUOTED | NUMBER
literal: NUMBER | WORD | QUOTED

_OR.3: /or(?![^\s()=<>!~,"'])/i
_AND.3: /and(?![^\s()=<>!~,"'])/i
_NOT.3: /not(?![^\s()=<>!~,"'])/i
_IN.3: /in(?![^\s()=<>!~,"'])/i
_HAS.3: /has(?=\s*\()/i
DIRECTION.3: /(asc|desc)(?![^\s()=<>!~,"'])/i
NUMBER.2: /[+-]?((\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|nan|inf|infinity)(?![^\s()=<>!~,"'])/i
WORD: /[^\s()=<>!~,"']+/
QUOTED: /"(\\.|[^"\\])*"/s
OPERATOR: /<=|>=|!=|=|<|>|~/
_OPEN: "("
_CLOSE: ")"
_COMMA: ","
%ignore /\s+/
"""

_ALLOWED = {
    "WORD": "a column's name",
    "QUOTED": "",
    "NUMBER": "a number",
    "OPERATOR": "one of = != < <= > >= ~",
    "DIRECTION": "'asc' or 'desc'",
    "_OR": "'or'",
    "_AND": "'and'",
    "_NOT": "'not'",
    "_IN": "'in (...)'",
    "_HAS": "'has(...)'",
    "_OPEN": "'('",
    "_CLOSE": "')'",
    "_COMMA": "a comma",
    "$END": "the end",
}


def parsed_filter(text: str) -> Expression | None:
    """Returns what a filter says, None for an empty one, which holds for every trial.

    Raises:
        InvalidArgumentError: It is malformed; the text says where, and what is allowed there.
    """
    if not text.strip():
        return None
    _check_size(text)
    return cast("Expression", _parsed(text, "filter", "filter"))


def parsed_order(text: str) -> tuple[OrderTerm, ...]:
    """Returns what an order says, the most important column first.

    Raises:
        InvalidArgumentError: It is malformed; the text says where, and what is allowed there.
    """
    if not text.strip():
        return ()
    if len(text) > _LONGEST:
        raise InvalidArgumentError(f"order_by: it has {len(text)} characters; allowed are {_LONGEST}")
    return cast("tuple[OrderTerm, ...]", _parsed(text, "order", "order_by"))


def _check_size(text: str) -> None:
    if len(text) > _LONGEST:
        raise InvalidArgumentError(f"filter: it has {len(text)} characters; allowed are {_LONGEST}")
    depth = deepest = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    if deepest > _DEEPEST:
        raise InvalidArgumentError(f"filter: it is nested {deepest} levels deep; allowed are {_DEEPEST}")


@cache
def _parser(start: str, makes_trees: bool) -> Lark:
    return Lark(_GRAMMAR, start=start, parser="lalr", transformer=_Trees() if makes_trees else None)


def _parsed(text: str, start: str, field: str) -> Any:
    try:
        return _parser(start, makes_trees=True).parse(text)
    except UnexpectedInput as error:
        raise InvalidArgumentError(f"{field}: {_complaint(error, text, start)}") from error
    except _EscapeError as error:
        raise InvalidArgumentError(f"{field}: {error}") from error


class _EscapeError(Exception):
    """A text in quotation marks has an escape that there is not."""


def _complaint(error: UnexpectedInput, text: str, start: str) -> str:
    found = "it ends here"
    position = len(text.rstrip()) + 1
    if not isinstance(error, UnexpectedToken):
        position = (error.pos_in_stream or 0) + 1
        character = text[position - 1]
        partner = "this quotation mark has no partner"
        found = partner if character == '"' else f"{character!r} is not allowed here"
    elif error.token.type != "$END":
        position = _position(error.token)
        found = f"{str(error.token)!r} is not allowed here"
    allowed = _listed(_accepted(_parser(start, makes_trees=False), text), start == "filter")
    return f"character {position}: {found}; allowed is {allowed}"


def _accepted(parser: Lark, text: str) -> set[str]:
    """Returns what is allowed where a text goes wrong.

    The error itself knows less, since the parser has closed what it could before it raises.
    """
    taken = _fed(parser, text, None)[1]
    accepted: set[str] = _fed(parser, text, taken)[0].accepts()  # type: ignore[no-untyped-call]
    return accepted


def _fed(parser: Lark, text: str, limit: int | None) -> tuple[InteractiveParser, int]:
    """Returns the state after tokens, as many as a limit or all that fit, and how many they were."""
    state, count = parser.parse_interactive(text), 0
    with suppress(UnexpectedInput):
        tokens = state.lexer_thread.lex(state.parser_state)  # type: ignore[no-untyped-call]
        for token in islice(tokens, limit):
            state.feed_token(token)
            count += 1
    return state, count


def _listed(expected: set[str], is_filter: bool) -> str:
    is_value = is_filter and "NUMBER" in expected and "_HAS" not in expected
    words = []
    for name, description in _ALLOWED.items():
        if name not in expected or not description or (name == "NUMBER" and not is_value):
            continue
        words.append("a text" if name == "WORD" and is_value else description)
    return " or ".join(words) or "nothing more"


def _text(token: Token) -> str:
    if token.type != "QUOTED":
        return str(token)
    try:
        return cast("str", json.loads(token, strict=False))
    except ValueError as error:
        raise _EscapeError(
            f"character {_position(token)}: {token} has an escape that is not known; "
            r"allowed are those of JSON, such as \" and \\"
        ) from error


def _position(token: Token) -> int:
    return (token.start_pos or 0) + 1


@v_args(inline=True)
class _Trees(Transformer[Token, Any]):
    """Makes trees of what was read; each method is a rule of the grammar."""

    def name(self, token: Token) -> Name:
        return Name(_text(token), _position(token), is_bare=token.type != "QUOTED")

    def literal(self, token: Token) -> Literal:
        number = float(token) if token.type == "NUMBER" else None
        return Literal(_text(token), number, _position(token))

    def literals(self, *values: Literal) -> tuple[Literal, ...]:
        return values

    def comparison(self, name: Name, operator: Token, value: Literal) -> Comparison:
        return Comparison(name, str(operator), value)

    def is_in(self, name: Name, values: tuple[Literal, ...]) -> Membership:
        return Membership(name, values, is_negated=False)

    def is_not_in(self, name: Name, values: tuple[Literal, ...]) -> Membership:
        return Membership(name, values, is_negated=True)

    def presence(self, name: Name) -> Presence:
        return Presence(name)

    def negated(self, operand: Expression) -> Expression:
        # Two in a row are none, so that only parentheses nest.
        return operand.operand if isinstance(operand, Negation) else Negation(operand)

    def conjunction(self, *operands: Expression) -> Expression:
        return operands[0] if len(operands) == 1 else Conjunction(operands)

    def disjunction(self, *operands: Expression) -> Expression:
        return operands[0] if len(operands) == 1 else Disjunction(operands)

    def term(self, name: Name, direction: Token | None = None) -> OrderTerm:
        if name.is_bare and name.text.startswith("-") and len(name.text) > 1:
            return OrderTerm(Name(name.text[1:], name.position + 1), is_descending=True)
        return OrderTerm(name, direction is not None and direction.lower() == "desc")

    def order(self, *terms: OrderTerm) -> tuple[OrderTerm, ...]:
        return terms
