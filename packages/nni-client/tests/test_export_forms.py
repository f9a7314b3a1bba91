"""Exported trials are the same after a round trip through JSON and CSV, whatever they hold."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nni_client.csv_form import from_csv, to_csv
from nni_client.exported_trials import ExportedTrial
from nni_client.json_form import ImportFileError, from_json, to_json

INT64 = st.integers(-(2**63), 2**63 - 1)
# fmt: off
AWKWARD = [
    "", "1", "1e5", "null", "NaN", "Infinity", "true", "[1]", '{"a": 1}', '"', '"a"', "=1+1", "+1", "@x", "-",
    " 1", "a,b", "a\r\nb", "\0", "größer ✓", "{}", "a.b", "-Infinity", "1" * 5000, "\ufeff", "\u2028", "'1",
]
# fmt: on
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(AWKWARD)
KEYS = TEXTS | st.sampled_from(["_name", "default", "metric", "reward", "status", "parameter", "trialJobId"])
SCALARS = st.none() | st.booleans() | INT64 | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
TRIALS = st.builds(
    ExportedTrial,
    parameter=st.dictionaries(KEYS, VALUES, max_size=4) | st.lists(VALUES, max_size=2),
    value=VALUES,
    trialJobId=st.none() | st.sampled_from(["abcde", "12345", "1e500"]),
    sequenceId=st.none() | st.integers(0, 2**31),
    status=st.none() | st.sampled_from(["SUCCEEDED", "FAILED"]),
    source=st.none() | st.sampled_from(["algorithm", "customized", "initial"]),
    parameterId=st.none() | st.integers(0, 2**40) | st.sampled_from(["0_1_2", "3"]),
    startTime=st.none() | st.integers(0, 2**50),
    endTime=st.none() | st.integers(0, 2**50),
    intermediate=st.none() | st.lists(VALUES, max_size=3),
)


def exact(trials, in_order):
    """Every value with its type; NaN equals NaN, 1 is neither 1.0 nor true."""
    return [json.dumps(vars(trial), sort_keys=not in_order) for trial in trials]


@given(st.lists(TRIALS, max_size=4))
@settings(max_examples=100, deadline=None)
def test_json_keeps_everything(trials):
    assert exact(from_json(to_json(trials)), in_order=True) == exact(trials, in_order=True)


@given(st.lists(TRIALS, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_csv_keeps_everything(trials):
    # The order of keys is that of the columns.
    assert exact(from_csv(to_csv(trials)), in_order=False) == exact(trials, in_order=False)


@given(st.lists(TRIALS, min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_csv_is_safe_for_spreadsheets_and_one_line_a_trial(trials):
    rows = list(csv.reader(io.StringIO(to_csv(trials), newline="")))
    assert len(to_csv(trials).split("\r\n")) == len(trials) + 2
    for cell in (cell for row in rows for cell in row):
        if cell.startswith(("=", "+", "-", "@", "\t", "\r")):
            float(cell.replace("Infinity", "inf"))  # a number is no formula


CONV = {"lr": 0.1, "layer0": {"_name": "Conv", "k": 3}}
EMPTY = {"lr": 1e-05, "layer0": {"_name": "Empty"}}


def test_what_a_table_looks_like():
    trials = [
        ExportedTrial(
            CONV, {"default": 0.5, "loss": float("nan")}, "abcde", 0, "SUCCEEDED", "algorithm", 0, 1, 2
        ),
        ExportedTrial(EMPTY, 3.0, "fghij", 1, "FAILED", "customized", None, 3, None, [0.5, {"default": 1}]),
    ]
    assert to_csv(trials).splitlines() == [
        "lr,layer0._name,layer0.k,metric.default,metric.loss,reward,trialJobId,sequenceId,status,source,"
        "parameterId,startTime,endTime,intermediate",
        "0.1,Conv,3,0.5,NaN,,abcde,0,SUCCEEDED,algorithm,0,1,2,",
        '1e-05,Empty,,,,3.0,fghij,1,FAILED,customized,,3,,"[0.5, {""default"": 1}]"',
    ]


def test_what_json_looks_like():
    trial = ExportedTrial(
        CONV, {"default": float("nan")}, "abcde", 0, "SUCCEEDED", "algorithm", 0, 1, 2, [1.5]
    )
    assert to_json([trial]) == (
        '[\n{"parameter": {"lr": 0.1, "layer0": {"_name": "Conv", "k": 3}}, "value": "{\\"default\\": NaN}", '
        '"trialJobId": "abcde", "sequenceId": 0, "status": "SUCCEEDED", "source": "algorithm", '
        '"parameterId": 0, "startTime": 1, "endTime": 2, "intermediate": ["1.5"]}\n]\n'
    )


def test_files_of_nni_and_of_hand():
    of_nni = '{"parameter": {"x": 1}, "value": "{\\"default\\": 0.5}", "trialJobId": "abcde"}'
    first, second = from_json(f'[{of_nni}, {{"parameter": {{}}, "value": 2}}]')
    assert (first.value, first.trialJobId, second.value) == ({"default": 0.5}, "abcde", 2)
    assert from_csv("x,layer0.k,reward\n1,relu,0.5\n\n2,,1\n") == [
        ExportedTrial({"x": 1, "layer0": {"k": "relu"}}, 0.5),
        ExportedTrial({"x": 2}, 1),
    ]
    # A parameter that is called metric, as scikit-learn has it.
    assert from_csv("metric,reward\nmanhattan,1\n") == [ExportedTrial({"metric": "manhattan"}, 1)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1, column 1: not JSON"),
        ("[" * 100_000, "not JSON"),
        ('[{"parameter": }]', "line 1, column 16: not JSON"),
        ('{"parameter": {}, "value": 1}', "not a list of trials; allowed is"),
        ("[7]", "entry 1: not an object; allowed is"),
        ('[{"parameter": {}, "value": 1}, {"value": 1}]', 'entry 2: "parameter" is missing'),
        ('[{"parameter": {}}]', 'entry 1: "value" is missing'),
        ('[{"parameter": {}, "value": "good"}]', "entry 1: \"value\": the text 'good' is not JSON"),
    ],
)
def test_what_is_no_json_of_trials(text, problem):
    with pytest.raises(ImportFileError) as error:
        from_json(text)
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no column has results"),
        ("x;reward\n1;2\n", "The columns, separated by commas, are: x;reward"),
        ("x,x,reward\n1,2,3\n", "the column 'x' is there twice"),
        ("x,reward\n1\n", "line 2: 1 cells; the first line has 2"),
        ("x,reward\n1,\n", "line 2: there is no result"),
        ("x,x.y,reward\n1,2,3\n", "line 2: x.y and what it is part of are both filled"),
        ("x.y,x,reward\n1,2,3\n", "line 2: x and a part of it are both filled"),
        ("x,metric.a,reward\n1,2,3\n", "both the column reward and columns of its entries"),
        ('"""x",reward\n1,2\n', "the column '\"x' cannot be read"),
        ('x,reward\n"1"2,3\n', "line 2: not CSV"),
    ],
)
def test_what_is_no_table_of_trials(text, problem):
    with pytest.raises(ImportFileError) as error:
        from_csv(text)
    assert problem in str(error.value)


def test_long_cells_are_read_and_the_limit_stays():
    before = csv.field_size_limit()
    trial = ExportedTrial({"x": 1}, 1, intermediate=[0.5] * 100_000)
    assert from_csv(to_csv([trial])) == [trial]
    assert csv.field_size_limit() == before
