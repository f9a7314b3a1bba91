from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import expect
from workspace.browser import PageStage
from workspace.browser.places import settle

PATIENCE = 20_000

MINIMIZED = """\
trialConcurrency: 2
maxTrialNumber: 6
searchSpace:
  x: {_type: uniform, _value: [0, 1]}
tuner: {name: Random, classArgs: {optimize_mode: minimize}}
trainingService: {platform: local}
"""


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


def test_the_best_trial_is_the_least_where_least_is_best(
    visit: Any, start_search: Any, stage: PageStage
) -> None:
    shown = start_search(MINIMIZED)
    page = visit(shown).page
    expect(page.locator("body")).to_contain_text("Done", timeout=PATIENCE)
    trials = json.loads(stage.nnictl("trial", "ls", shown.experiment_id, "--json"))
    least = min(trial["objective"] for trial in trials)
    card = page.get_by_role("region", name="Best trial")
    expect(card).to_contain_text("lower is better")
    shown_number = re.match(r"[-\d.e]+", card.locator(".figure").inner_text())
    assert shown_number is not None and float(shown_number[0]) == pytest.approx(least, rel=1e-4)


def test_a_search_is_paused_and_goes_on(visit: Any, start_search: Any, stage: PageStage) -> None:
    shown = start_search()
    page = visit(shown).page
    settle(page)
    page.get_by_role("button", name="Pause").click()
    go_on = page.get_by_role("button", name="Resume")
    expect(go_on).to_be_visible(timeout=PATIENCE)
    assert "paused" in stage.nnictl("status", shown.experiment_id).lower()
    go_on.click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible(timeout=PATIENCE)
