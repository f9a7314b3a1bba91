from __future__ import annotations

from typing import Any

from playwright.sync_api import expect
from workspace.browser import PageStage
from workspace.browser.places import settle

PATIENCE = 20_000


def test_a_limit_is_changed_in_place(visit: Any, start_search: Any, stage: PageStage) -> None:
    shown = start_search()
    page = visit(shown).page
    settle(page)
    settings = page.get_by_role("region", name="Settings")
    settings.get_by_role("button", name="Change: ").first.click()
    field = settings.get_by_role("textbox").first
    label = field.get_attribute("aria-label")
    field.fill("3")
    field.press("Enter")
    expect(settings.get_by_role("textbox")).to_have_count(0, timeout=PATIENCE)
    expect(settings).to_contain_text("3")
    assert label


def test_a_limit_that_is_none_is_told_at_the_field(visit: Any, start_search: Any) -> None:
    page = visit(start_search()).page
    settle(page)
    settings = page.get_by_role("region", name="Settings")
    settings.get_by_role("button", name="Change: ").first.click()
    field = settings.get_by_role("textbox").first
    field.fill("many")
    field.press("Enter")
    expect(settings.get_by_role("alert")).not_to_be_empty(timeout=PATIENCE)


def test_a_search_is_stopped_after_a_question(visit: Any, start_search: Any, stage: PageStage) -> None:
    shown = start_search()
    visitor = visit(shown)
    visitor.watched.allow("Failed to load|ERR_|fetch")  # the manager goes, as was wanted
    page = visitor.page
    settle(page)
    page.get_by_role("button", name="Stop").first.click()
    dialog = page.get_by_role("dialog").or_(page.get_by_role("alertdialog"))
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Stop").click()
    expect(page.locator("body")).to_contain_text("Stopped", timeout=PATIENCE)
    assert "STOPPED" in stage.nnictl("status", shown.experiment_id)
