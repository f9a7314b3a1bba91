"""Filters hold for the trials that a plain reading of them says, whichever storage the trials are in."""

from __future__ import annotations

import json
import math
import operator
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nni_manager.engine.effects import SaveExperiment, SaveTrial
from nni_manager.engine.records import EndReason, TrialRecord
from nni_manager.engine.statuses import Actor, TrialStatus
from nni_manager.experiments.errors import InvalidArgumentError
from nni_manager.experiments.trial_table.filtering import matching
from nni_manager.experiments.trial_table.keeping import TableKeeper
from nni_manager.experiments.trial_table.parsing import parsed_filter
from nni_manager.experiments.trial_table.table import TrialTable
from nni_manager.storage.interface import Storage
from nni_manager.storage.memory import MemoryStorage
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.storage import EXPERIMENT, metric, results, trial

NAMES = ("lr", "a b", 'q"uo\\te', "k[0]", "\u00e9", "status", "metric.x", "in", "-1", "a.b", "\n")
TEXTS = ("Conv", "conv", "3", "", "nan", "true", 'a"b', "\u00df", "x" * 5)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-2, 4)
    | st.sampled_from([0.5, -0.0, 1e-3, 3.0, math.nan, math.inf, -math.inf, 10**400])
    | st.sampled_from(TEXTS)
    | st.lists(st.integers(0, 2), max_size=2)
)
NESTED = st.fixed_dictionaries({}, optional={"_name": st.sampled_from(["Conv", "Dense"]), "units": LEAVES})
PARAMETERS = st.dictionaries(st.sampled_from(NAMES), LEAVES, max_size=4).flatmap(
    lambda flat: NESTED.map(lambda nested: {**flat, "layer0": nested})
)
RESULTS = LEAVES | st.dictionaries(st.sampled_from(["default", "loss", "\u00e9"]), LEAVES, max_size=2)
COLUMNS = (
    *(f"parameter.{name}" for name in NAMES),
    "lr",
    "a b",
    "layer0._name",
    "layer0.units",
    "metric.default",
    "metric.loss",
)

Predicate = Callable[[dict[str, Any]], bool]
"""Says of the cells of a trial whether a filter holds."""


def cells(record: TrialRecord) -> dict[str, Any]:
    """Returns what a trial has in each column, put together plainly."""
    found: dict[str, Any] = {}
    parameters = dict(record.parameters)
    layer = parameters.pop("layer0")
    for name, value in parameters.items():
        found[f"parameter.{name}"] = found[name] = value
    found.update((f"layer0.{name}", value) for name, value in layer.items())
    if not layer:
        found["layer0"] = layer
    if record.has_final_result:
        result = record.final_result
        entries = result if isinstance(result, dict) else {"default": result}
        found.update((f"metric.{name}", value) for name, value in entries.items())
    return found


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value != 10**400


def as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if is_number(value):
        number = float(value)
        return str(number) if not math.isfinite(number) else json.dumps(number).removesuffix(".0")
    return json.dumps(value, separators=(",", ":"))


def equal(value: Any, literal: str | float) -> bool:
    if isinstance(literal, str):
        return not is_number(value) and as_text(value) == literal
    return is_number(value) and (value == literal or (math.isnan(value) and math.isnan(literal)))


ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compared(value: Any, symbol: str, literal: str | float) -> bool:
    if symbol == "=":
        return equal(value, literal)
    if symbol == "!=":
        return not equal(value, literal)
    if isinstance(literal, str):
        return not is_number(value) and ORDERS[symbol](as_text(value), literal)
    return is_number(value) and ORDERS[symbol](value, literal)


def quoted(text: str) -> str:
    return json.dumps(text)


def written(literal: str | float) -> str:
    return quoted(literal) if isinstance(literal, str) else str(literal)


LITERALS = st.sampled_from([*TEXTS, "null", "[0,1]", "Dense"]) | st.sampled_from(
    [0.5, 1e-3, 3.0, 0.0, -1.0, 2.0, math.nan, math.inf, -math.inf]
)


@st.composite
def conditions(draw: st.DrawFn) -> tuple[str, Predicate]:
    name = draw(st.sampled_from(COLUMNS))
    kind = draw(st.sampled_from(["compare", "in", "not in", "has", "contains"]))
    if kind == "has":
        return f"has({quoted(name)})", lambda row: name in row
    if kind == "contains":
        part = draw(st.sampled_from(["con", "CONV", "", "3", "1e", "inf", "\u00df", "SS", ","]))
        return (
            f"{quoted(name)} ~ {quoted(part)}",
            lambda row: name in row and part.casefold() in as_text(row[name]).casefold(),
        )
    if kind == "compare":
        symbol, literal = draw(st.sampled_from(["=", "!=", *ORDERS])), draw(LITERALS)
        text = f"{quoted(name)}{draw(st.sampled_from(['', ' ']))}{symbol} {written(literal)}"
        return text, lambda row: name in row and compared(row[name], symbol, literal)
    literals = draw(st.lists(LITERALS, min_size=1, max_size=3))
    wanted = kind == "in"
    return (
        f"{quoted(name)} {kind} ({', '.join(map(written, literals))})",
        lambda row: name in row and any(equal(row[name], literal) for literal in literals) is wanted,
    )


def combined(inner: st.SearchStrategy[tuple[str, Predicate]]) -> st.SearchStrategy[tuple[str, Predicate]]:
    negated = inner.map(lambda one: (f"not ({one[0]})", lambda row: not one[1](row)))
    joined = st.tuples(st.sampled_from(["and", "OR"]), inner, inner).map(
        lambda parts: (
            f"({parts[1][0]}) {parts[0]} ({parts[2][0]})",
            (lambda row: parts[1][1](row) and parts[2][1](row))
            if parts[0] == "and"
            else (lambda row: parts[1][1](row) or parts[2][1](row)),
        )
    )
    return negated | joined


FILTERS = st.recursive(conditions(), combined, max_leaves=5)
TRIALS = st.lists(
    st.tuples(PARAMETERS, st.none() | st.tuples(RESULTS)).map(
        lambda drawn: {
            "parameters": drawn[0],
            "has_final_result": drawn[1] is not None,
            "final_result": None if drawn[1] is None else drawn[1][0],
        }
    ),
    min_size=1,
    max_size=8,
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def found_in(storage: Storage, text: str) -> list[int]:
    table = TableKeeper().table(storage, EXPERIMENT)
    return [table.numbers[row] for row in matching(table, parsed_filter(text)).nonzero()[0]]


# Every column is known, since an unknown one is an error.
EVERY_NAME = trial(
    99,
    parameters={**dict.fromkeys(NAMES, 0), "layer0": {"_name": "", "units": 0}},
    has_final_result=True,
    final_result={"default": 0, "loss": 0},
)


@settings(max_examples=150, deadline=None)
@given(TRIALS, FILTERS)
@example([{"parameters": {"lr": math.nan, "layer0": {}}}], ('"lr" = nan', lambda row: math.isnan(row["lr"])))
def test_both_storages_find_what_a_plain_reading_finds(
    folder: Path, drawn: list[dict[str, Any]], filter_: tuple[str, Predicate]
) -> None:
    text, holds = filter_
    records = [trial(number, **changes) for number, changes in enumerate(drawn)] + [EVERY_NAME]
    expected = [record.sequence_number for record in records if holds(cells(record))]
    path = folder / "experiment.sqlite"
    path.unlink(missing_ok=True)
    sqlite = open_sqlite_storage(path)
    try:
        for storage in (MemoryStorage(), sqlite):
            storage.commit([SaveExperiment(EXPERIMENT), *(SaveTrial(record) for record in records)])
            assert found_in(storage, text) == expected
    finally:
        sqlite.close()


@pytest.fixture
def table() -> TrialTable:
    storage = MemoryStorage()
    ended = {"started_at": 100.0, "ended_at": 700.0, "status": TrialStatus.SUCCEEDED}
    parameters = {"lr": 0.01, "status": "odd", "layer0": {"_name": "Conv"}}
    storage.commit(
        [
            SaveTrial(trial(0, parameters=parameters, host="gpu-a", gpus=("0", "1"), **ended)),
            SaveTrial(
                trial(
                    1,
                    parameters={"lr": 0.1, "layer0": {"_name": "Dense"}},
                    status=TrialStatus.FAILED,
                    end_reason=EndReason(Actor.TRIAL, "the command ended with exit code 1", 1),
                    objective=math.inf,
                )
            ),
            SaveTrial(trial(2, parameters=[1, 2], status=TrialStatus.RUNNING, started_at=50.0)),
            results(0, metric(0, 0, {"loss": 2.5})),
        ]
    )
    space = {"lr": {"_type": "uniform", "_value": [0, 1]}, "units": {"_type": "choice", "_value": [1, 2]}}
    record = replace(EXPERIMENT, config={"searchSpace": space}, running_since=None)
    return TableKeeper().table(storage, record)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", [0, 1, 2]),
        ("  ", [0, 1, 2]),
        ("status = FAILED and lr > 1e-3 and layer0._name in (Dense)", [1]),
        ("status = failed", [1]),
        ("status != FAILED", [0, 2]),
        ("status in (running, failed)", [1, 2]),
        ("parameter.status = odd", [0]),
        ("parameter.lr = 0.01", [0]),
        ("lr=0.01or lr=.1", []),
        ("lr = 0.01 or lr = .1", [0, 1]),
        ("not has(lr)", [2]),
        ("not not has(lr)", [0, 1]),
        ("number >= 1 AND Not number > 1", [1]),
        ("objective = inf", [1]),
        ("has(objective)", [1]),
        ("has(units)", []),
        ("duration = 10m", [0]),
        ("duration > 5m or duration > 3600", [0]),
        ("has(duration)", [0]),
        ("created > 2023-11-14", [0, 1, 2]),
        ('created < "2023-11-14T22:13:21.6Z"', [0, 1]),
        ('created < "2023-11-14T23:13:21.6+01:00"', [0, 1]),
        ("host ~ GPU", [0]),
        ("gpus = 0,1", None),
        ('gpus = "0,1"', [0]),
        ('reason ~ "exit code"', [1]),
        ("source = algorithm", [0, 1, 2]),
        ("intermediates > 0 and intermediate.loss = 2.5", [0]),
        ("id = t0001", [1]),
        ("attempt = 0", [0, 1, 2]),
        ("metric.anything > 3", []),
        ('parameters = "[1,2]"', [2]),
    ],
)
def test_what_a_filter_finds(table: TrialTable, text: str, numbers: list[int] | None) -> None:
    if numbers is None or text == "lr=0.01or lr=.1":
        with pytest.raises(InvalidArgumentError):
            matching(table, parsed_filter(text))
        return
    assert list(matching(table, parsed_filter(text)).nonzero()[0]) == numbers


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("lr >", "filter: character 5: it ends here; allowed is a text or a number"),
        ("lr > > 3", "filter: character 6: '>' is not allowed here; allowed is a text or a number"),
        ("lr == 3", "filter: character 5: '=' is not allowed here"),
        (
            "lr = 3 lr = 4",
            "filter: character 8: 'lr' is not allowed here; allowed is 'or' or 'and' or the end",
        ),
        ("(lr = 3", "filter: character 8: it ends here; allowed is 'or' or 'and' or ')'"),
        ("lr = 'x'", 'filter: character 6: "\'" is not allowed here; allowed is a text or a number'),
        ('lr = "x', "filter: character 6: this quotation mark has no partner"),
        ('lr = "\\q"', 'filter: character 6: "\\q" has an escape that is not known'),
        ('"\\q" "x', "filter: character 6: this quotation mark has no partner"),
        ("lr in ()", "filter: character 8: ')' is not allowed here"),
        (
            "lr",
            "filter: character 3: it ends here; allowed is one of = != < <= > >= ~ or 'not' or 'in (...)'",
        ),
        ("lx = 3", "filter: character 1: there is no column 'lx'; did you mean 'lr'?"),
        ("lr = 1 or unit > 3", "filter: character 11: there is no column 'unit'; did you mean 'units'?"),
        ("intermediate.los = 3", "did you mean 'intermediate.loss'?"),
        ("zzz = 3", "there is no column 'zzz'; there are number, id, status"),
        ("status = DONE", "filter: character 10: status is never 'DONE'; allowed is UNKNOWN, WAITING"),
        ("number = one", "filter: character 10: number is never 'one'; allowed is a number"),
        ("duration > long", "filter: character 12: duration is never 'long'; allowed is seconds, or"),
        ("created > soon", "filter: character 11: created is never 'soon'; allowed is a time in UTC such as"),
        ("(" * 101 + "lr = 1" + ")" * 101, "filter: it is nested 101 levels deep; allowed are 100"),
        ("lr = 1 and " * 1000 + "lr = 1", "filter: it has 11006 characters; allowed are 10000"),
    ],
)
def test_what_is_wrong_with_a_filter_is_said_where(table: TrialTable, text: str, complaint: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        matching(table, parsed_filter(text))
    assert complaint in str(caught.value)


def test_deep_filters_are_answered(table: TrialTable) -> None:
    assert matching(table, parsed_filter("(" * 100 + "lr = .1" + ")" * 100)).sum() == 1
    assert matching(table, parsed_filter("not (" * 100 + "lr = .1" + ")" * 100)).sum() == 1
    assert matching(table, parsed_filter("not " * 2000 + "lr = .1")).sum() == 1
    assert matching(table, parsed_filter(" or ".join(["lr = .1"] * 900))).sum() == 1


@given(st.text(max_size=30) | st.text("()=<>!~,\"' andornotihsl1.e-", max_size=30))
def test_any_text_is_a_filter_or_an_error_of_the_caller(text: str) -> None:
    try:
        parsed_filter(text)
    except InvalidArgumentError as error:
        assert str(error).startswith("filter: character ")
