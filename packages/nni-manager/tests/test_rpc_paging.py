from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_manager.experiments.errors import InvalidArgumentError
from nni_manager.rpc import paging
from nni_proto.v1 import value_pb2


def test_page_sizes() -> None:
    assert paging.page_size(0, 1000, 10_000) == 1000
    assert paging.page_size(7, 1000, 10_000) == 7
    assert paging.page_size(10_001, 1000, 10_000) == 10_000
    with pytest.raises(InvalidArgumentError, match="page_size"):
        paging.page_size(-1, 1000, 10_000)


@given(st.text(), st.integers(-1, 2**62))
def test_a_token_gives_its_position_back(listing: str, position: int) -> None:
    assert paging.page_position(paging.page_token(listing, position), listing, -1) == position


def test_an_empty_token_is_the_start() -> None:
    assert paging.page_position("", "trials", -1) == -1


@pytest.mark.parametrize(
    "token",
    ["x", "1", "W10=", "bnVsbA==", paging.page_token("other", 5), paging.page_token("trials", -2), "\u00e9"],
)
def test_a_foreign_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgumentError, match="page_token"):
        paging.page_position(token, "trials", -1)


@given(st.text())
def test_any_text_is_refused_as_a_token(text: str) -> None:
    if text:
        with pytest.raises(InvalidArgumentError, match="page_token"):
            paging.page_position(text, "trials", -1)


def test_a_page_ends_before_it_gets_too_large(monkeypatch) -> None:
    monkeypatch.setattr(paging, "PAGE_LIMIT", 100)
    small, large = value_pb2.Value(string_value="x" * 30), value_pb2.Value(string_value="x" * 500)
    assert len(paging.fitting([small] * 10)) == 3
    assert paging.fitting([large, small]) == [large]
    assert paging.fitting([]) == []
