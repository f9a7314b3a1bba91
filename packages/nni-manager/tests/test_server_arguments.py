from __future__ import annotations

from pathlib import Path

import pytest
from nni_manager.server.arguments import parse_arguments
from nni_manager.server.problems import StartProblem
from nni_manager.server.ready_pipe import pipe_in_arguments


def test_defaults_are_safe() -> None:
    found = parse_arguments(["--experiments-directory", "d"])
    assert (found.experiments_directory, found.bind, found.port) == (Path("d"), "127.0.0.1", 8080)
    assert found.allowed_hosts == () and not found.allow_plaintext and found.tls() is None


def test_everything_can_be_said() -> None:
    words = (
        "--experiments-directory d --experiment-id e --port 0 --bind ::1 --allowed-host a --allowed-host b"
    )
    words += " --url-prefix /x/y/ --log-level trace --allow-plaintext --ready-fd 7 --view --lifeline-fd 0"
    found = parse_arguments(words.split())
    assert found.lifeline == 0
    assert (found.experiment_id, found.port, found.bind, found.view) == ("e", 0, "::1", True)
    assert (found.allowed_hosts, found.url_prefix, found.log_level) == (("a", "b"), "x/y", "trace")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "--experiments-directory"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["--log-level", "loud"], "invalid choice: 'loud'"),
        (["--url-prefix", "a b"], "--url-prefix: 'a b' is not"),
        (["--url-prefix", "a//b"], "--url-prefix: 'a//b' is not"),
        (["--view"], "--view needs --experiment-id"),
        (["--lifeline-fd", "0"], "--lifeline-fd needs --view"),
        (["--ready-fd", "x"], "--ready-fd: invalid int value"),
    ],
)
def test_wrong_words_are_named(words: list[str], text: str) -> None:
    with pytest.raises(StartProblem) as caught:
        parse_arguments([*(["--experiments-directory", "d"] if words else []), *words])
    assert text in str(caught.value)


def test_tls_needs_both_files(tmp_path) -> None:
    words = ["--experiments-directory", "d", "--tls-certificate", str(tmp_path / "c")]
    with pytest.raises(StartProblem, match="--tls-key"):
        parse_arguments(words).tls()
    with pytest.raises(StartProblem, match="No such file"):
        parse_arguments([*words, "--tls-key", str(tmp_path / "k")]).tls()


@pytest.mark.parametrize(
    ("words", "pipe"),
    [
        (["--port", "1", "--ready-fd", "5"], 5),
        (["--ready-fd=6", "--nonsense"], 6),
        (["--ready-fd"], None),
        (["--ready-fd", "x"], None),
        ([], None),
    ],
)
def test_the_pipe_is_found_before_anything_else(words: list[str], pipe: int | None) -> None:
    assert pipe_in_arguments(words) == pipe
