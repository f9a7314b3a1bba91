from __future__ import annotations

from workspace.browser.places import chart_kinds, places


def test_every_kind_of_chart_is_a_place() -> None:
    kinds = chart_kinds()
    assert {"history", "parallel", "importance"} <= set(kinds)
    assert [f"charts/{kind}" for kind in kinds] == places()[3:]
