from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from workspace.browser.places import places, settle

SCHEMES = ["light", "dark"]


@pytest.mark.parametrize("name", places())
def test_it_loads_without_an_error(visit: Any, made_page: Any, name: str) -> None:
    page = visit(made_page, f"#/{name}").page
    page.on("dialog", lambda dialog: pytest.fail(f"a script of a trial ran: {dialog.message}"))
    settle(page)
    expect(page.get_by_role("navigation").first).to_be_visible()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", places())
def test_it_can_be_used_by_everybody(visit: Any, made_page: Any, name: str, scheme: str) -> None:
    page = visit(made_page, f"#/{name}", color_scheme=scheme).page
    settle(page)
    found = Axe().run(page).response["violations"]
    serious = [
        f"{each['id']}: {each['help']}: {node['target']} {node.get('failureSummary', '')}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
    assert serious == []


@pytest.mark.parametrize("name", places())
def test_on_a_phone_nothing_is_wider_than_the_screen(visit: Any, made_page: Any, name: str) -> None:
    page = visit(made_page, f"#/{name}", viewport={"width": 360, "height": 740}).page
    settle(page)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 360
