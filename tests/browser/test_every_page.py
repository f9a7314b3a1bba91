from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from workspace.browser.places import places, settle

SCHEMES = ["light", "dark"]


@pytest.mark.parametrize(("number", "name"), list(enumerate(places())), ids=places())
def test_it_loads_without_an_error_and_can_be_used_by_everybody(
    visit: Any, made_page: Any, number: int, name: str
) -> None:
    """A page is looked at in one scheme, and then in the other; every second one begins in the dark."""
    first, second = SCHEMES if number % 2 == 0 else reversed(SCHEMES)
    page = visit(made_page, f"#/{name}", color_scheme=first).page
    page.on("dialog", lambda dialog: pytest.fail(f"a script of a trial ran: {dialog.message}"))
    settle(page)
    expect(page.get_by_role("navigation").first).to_be_visible()
    found = {first: _serious_violations(page)}
    page.emulate_media(color_scheme=second)
    expect(page.locator("html")).to_have_css("color-scheme", second)
    settle(page)
    found[second] = _serious_violations(page)
    assert found == {"light": [], "dark": []}


def _serious_violations(page: Page) -> list[str]:
    return [
        f"{each['id']}: {each['help']}: {node['target']} {node.get('failureSummary', '')}"
        for each in Axe().run(page).response["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("name", places())
def test_on_a_phone_nothing_is_wider_than_the_screen(visit: Any, made_page: Any, name: str) -> None:
    page = visit(made_page, f"#/{name}", viewport={"width": 360, "height": 740}).page
    settle(page)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 360
