from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect
from workspace.browser.places import settle

PATIENCE = 20_000


@pytest.fixture
def page(visit: Any, made_page: Any) -> Page:
    visitor = visit(made_page, "#/trials", viewport={"width": 1600, "height": 900})
    visitor.watched.allow("400 .*/ListTrials")  # a filter that is refused
    page: Page = visitor.page
    settle(page)
    return page


def rows(page: Page) -> Any:
    return page.get_by_role("grid").locator(".table-body").get_by_role("row")


def test_a_filter_leaves_the_trials_that_it_holds_for(page: Page) -> None:
    box = page.get_by_role("combobox", name="Filter")
    box.fill("number in (3, 5) or number = 40")
    box.press("Enter")
    expect(rows(page)).to_have_count(3, timeout=PATIENCE)


def test_a_wrong_filter_is_told_at_the_field_and_the_table_stays(page: Page) -> None:
    before = rows(page).count()
    box = page.get_by_role("combobox", name="Filter")
    box.fill("lrr > 1")
    box.press("Enter")
    expect(page.locator(".filter-problem")).to_contain_text("lrr", timeout=PATIENCE)
    assert rows(page).count() == before


def test_what_a_trial_was_named_or_printed_stays_text(page: Page) -> None:
    box = page.get_by_role("combobox", name="Filter")
    box.fill('activation ~ "onerror"')
    box.press("Enter")
    expect(rows(page).first).to_contain_text("<img", timeout=PATIENCE)
    assert page.locator("main img").count() == 0
