from __future__ import annotations

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_manager.rpc.access import Caller, Role
from nni_manager.server.tokens import Tokens, load_or_create_secret

_TOKENS = Tokens(b"0123456789abcdef0123456789abcdef")


def test_every_token_is_recognised_for_what_it_is() -> None:
    assert _TOKENS.caller(_TOKENS.manager()) == Caller(Role.MANAGER)
    assert _TOKENS.caller(_TOKENS.view()) == Caller(Role.VIEW)
    assert _TOKENS.caller(_TOKENS.trial("aB3_-")) == Caller(Role.TRIAL, "aB3_-")
    assert _TOKENS.caller(_TOKENS.job("nni_e.f_t_0")) == Caller(Role.JOB, job="nni_e.f_t_0")


def test_tokens_of_another_secret_are_refused() -> None:
    other = Tokens(b"another secret of 32 bytes......")
    for token in (other.manager(), other.view(), other.trial("t")):
        assert _TOKENS.caller(token) is None


def test_a_token_cannot_be_turned_into_another() -> None:
    digest = _TOKENS.trial("a").rpartition(".")[2]
    for purpose in ("manager", "view", "trial/b", "trial/", "trial", ""):
        assert _TOKENS.caller(f"{purpose}.{digest}") is None
    assert _TOKENS.caller(f"job/a.{digest}") is None


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    assert _TOKENS.caller(text) is None


@given(st.text(st.characters(categories=["Cs"])))
def test_text_that_is_not_unicode_is_refused(text: str) -> None:
    assert _TOKENS.caller(f"manager.{text}") is None


def test_the_secret_is_made_once_and_is_private(tmp_path) -> None:
    path = tmp_path / "secret"
    secret = load_or_create_secret(path)
    assert len(secret) == 64
    assert load_or_create_secret(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_secret_that_others_can_read_is_refused(tmp_path) -> None:
    path = tmp_path / "secret"
    load_or_create_secret(path)
    path.chmod(0o640)
    with pytest.raises(PermissionError, match="open to other users"):
        load_or_create_secret(path)


def test_an_empty_secret_is_refused(tmp_path) -> None:
    path = tmp_path / "secret"
    path.touch(0o600)
    with pytest.raises(PermissionError, match="too short"):
        load_or_create_secret(path)
