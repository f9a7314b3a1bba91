from __future__ import annotations

import broken_configurations
import pytest


def test_every_broken_configuration_is_refused_with_the_field_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert broken_configurations.main([]) == 0
    count, refused, rest = capsys.readouterr().out.split(", ")
    assert int(count.split()[0]) == int(refused.split()[0]) >= 1000
    assert rest == "0 not\n"


def test_what_is_accepted_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = broken_configurations.Broken("nothing", str(broken_configurations.valid("local")).encode())
    monkeypatch.setattr(broken_configurations, "every_broken", lambda: iter([accepted]))
    assert broken_configurations.main([]) == 1
    assert "WRONG  nothing\n    accepted" in capsys.readouterr().out
