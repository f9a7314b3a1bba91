"""`nni.dump` and `nni.load`."""

from __future__ import annotations

import io
import json
import math

import nni
import numpy as np
import pytest


def test_plain_data_comes_back() -> None:
    value = {"a": [1, 2.5, None, "ä"], "b": {"c": True}}
    assert nni.load(nni.dump(value)) == value == json.loads(nni.dump(value))
    assert math.isnan(nni.load(nni.dump(math.nan)))
    assert nni.dump({"b": 1, "a": 2}, sort_keys=True, indent=1) == '{\n "a": 2,\n "b": 1\n}'
    file = io.StringIO()
    nni.dump(value, file)
    file.seek(0)
    assert nni.load(fp=file) == value


def test_comments_are_left_out_and_texts_are_not() -> None:
    text = '# said\n// too\r\n["a#b", "http://c", "\\"#d", "\u2028e"] // and # this\n#'
    assert nni.load(text) == ["a#b", "http://c", '"#d', "\u2028e"]
    with pytest.raises(ValueError, match="Expecting"):
        nni.load("# said\n1", ignore_comments=False)


def test_numbers_and_arrays_of_numpy() -> None:
    assert nni.dump({"x": np.float64(0.5), "n": np.int64(3)}) == '{"x": 0.5, "n": 3}'
    back = nni.load(nni.dump({"m": np.array([[1, 2], [3, 4]], dtype=np.int32)}))["m"]
    assert back.dtype == np.int32 and back.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: nni.dump(object()), TypeError),
        (lambda: nni.dump(1, compression=True), ValueError),
        (lambda: nni.dump(math.nan, allow_nan=False), ValueError),
        (lambda: nni.load(io.StringIO("1")), TypeError),
        (nni.load, TypeError),
        (lambda: nni.load("1", fp=io.StringIO("1")), TypeError),
        (lambda: nni.load("{"), ValueError),
    ],
)
def test_what_it_is_not_for(call, error) -> None:
    with pytest.raises(error):
        call()
