"""nnictl config schema."""

from __future__ import annotations

import json
import sys

import pytest
from nni_client.commands import main
from nni_config.json_schema import experiment_schema


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["nnictl", "config", "schema", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    if end.value.code:
        raise end.value


def test_it_is_printed(monkeypatch, capsys):
    run(monkeypatch)
    assert json.loads(capsys.readouterr().out) == experiment_schema()


def test_it_is_written_and_replaced_only_when_asked_to(monkeypatch, capsys, tmp_path):
    path = tmp_path / "schema.json"
    run(monkeypatch, "--output", str(path))
    assert json.loads(path.read_text()) == experiment_schema()
    assert capsys.readouterr().out == f"Wrote {path}\n"
    path.write_text("mine")
    with pytest.raises(SystemExit):
        run(monkeypatch, "-o", str(path))
    assert capsys.readouterr().err == f"ERROR: {path} exists already; --force replaces it\n"
    assert path.read_text() == "mine"
    run(monkeypatch, "-o", str(path), "--force")
    assert json.loads(path.read_text()) == experiment_schema()


def test_a_folder_that_is_not_there(monkeypatch, capsys, tmp_path):
    with pytest.raises(SystemExit):
        run(monkeypatch, "-o", str(tmp_path / "no" / "schema.json"))
    assert capsys.readouterr().err.startswith("ERROR: ")
