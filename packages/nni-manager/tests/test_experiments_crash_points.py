"""The table of crash points is complete, and nothing happens without the variable."""

from __future__ import annotations

from typing import get_args

import pytest
from nni_manager.engine.effects import Action, Write
from nni_manager.experiments import crash_points


def test_every_effect_has_a_point() -> None:
    assert set(crash_points.EFFECTS) == {*get_args(Write), *get_args(Action)}
    assert len(set(crash_points.NAMES)) == len(crash_points.NAMES)


@pytest.mark.parametrize("text", ["nonsense", "before-nothing:1", "before-commit", "before-commit:0", "x:y"])
def test_what_names_no_point_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(crash_points.VARIABLE, text)
    with pytest.raises(ValueError, match="before-submit-trial"):
        crash_points.read_environment()


def test_the_variable_is_not_passed_on_and_the_point_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = []
    monkeypatch.setattr(crash_points.os, "kill", lambda *arguments: killed.append(arguments))
    monkeypatch.setenv(crash_points.VARIABLE, "after-commit:2")
    for name in ("_point", "_count"):
        monkeypatch.setattr(crash_points, name, getattr(crash_points, name))
    crash_points.read_environment()
    assert crash_points.VARIABLE not in crash_points.os.environ
    for expected in (0, 1, 1):
        crash_points.before("commit")
        crash_points.after("commit", "save-trial")
        assert len(killed) == expected
