from __future__ import annotations

import logging
import stat
from logging.handlers import RotatingFileHandler

import pytest
from nni_manager.server.logs import redacted, start_logging
from nni_manager.server.tokens import Tokens

_TOKENS = Tokens(b"x" * 32)


@pytest.fixture
def log(tmp_path):
    before = logging.getLogger().handlers[:]
    level = logging.getLogger().level
    path = tmp_path / "nnimanager.log"
    start_logging(path, "info")
    yield path
    logging.captureWarnings(False)
    for handler in logging.getLogger().handlers[:]:
        handler.close()
    logging.basicConfig(level=level, handlers=before, force=True)


@pytest.mark.parametrize("token", [_TOKENS.manager(), _TOKENS.view(), _TOKENS.trial("a-B_3")])
def test_tokens_are_left_out(token: str) -> None:
    secret = token.rpartition(".")[2]
    for text in (
        token,
        f"Bearer {token}",
        f"authorization: bearer {token}, x",
        f"token={token}",
        f"'{token}'",
    ):
        assert secret not in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "GET /sign-in?code=HIDDEN HTTP/1.1",
        'password: "HIDDEN"',
        "{'ssh_passphrase': 'HIDDEN'}",
        "secret=HIDDEN",
    ],
)
def test_codes_and_passwords_are_left_out(text: str) -> None:
    assert "HIDDEN" not in redacted(text)


def test_other_text_stays() -> None:
    for text in ("trial abc failed: exit code 1", "manager.json was written", "view trials/a.py"):
        assert redacted(text) == text


def test_the_log_is_private_and_holds_no_secret(log) -> None:
    try:
        raise ValueError(f"bad {_TOKENS.manager()}")
    except ValueError:
        logging.getLogger("a").exception("failed with %s", _TOKENS.view())
    text = log.read_text()
    assert "ValueError" in text and "ERROR a: failed" in text
    assert not any(token.rpartition(".")[2] in text for token in (_TOKENS.manager(), _TOKENS.view()))
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_the_log_does_not_grow_for_ever(monkeypatch, log) -> None:
    (handler,) = (it for it in logging.getLogger().handlers if isinstance(it, RotatingFileHandler))
    assert handler.maxBytes == 10 * 1024 * 1024
    monkeypatch.setattr(handler, "maxBytes", 1000)
    line = "x" * 300
    for _ in range(30):
        logging.getLogger("a").info(line)
    files = sorted(log.parent.iterdir())
    assert [file.name for file in files] == [f"nnimanager.log{end}" for end in ("", ".1", ".2", ".3")]
    assert all(file.stat().st_size <= 1000 for file in files)
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
