from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from workspace.browser.places import settle

KINDS = [
    "history",
    "curves",
    "parallel",
    "slices",
    "contour",
    "importance",
    "correlation",
    "pareto",
    "durations",
    "timeline",
]
PATIENCE = 30_000


def chart(page: Page) -> Any:
    """Returns what takes the keys of the first chart that has been drawn."""
    found = page.get_by_role("application").first
    expect(found).to_be_visible(timeout=PATIENCE)
    expect(found.locator("canvas").first).to_be_visible(timeout=PATIENCE)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_the_keyboard_reads_it_out_and_a_table_shows_the_same(visit: Any, made_page: Any, kind: str) -> None:
    page = visit(made_page, f"#/charts/{kind}").page
    drawn = chart(page)
    drawn.focus()
    drawn.press("Home")
    drawn.press("ArrowRight")
    told = page.locator("figure.chart [aria-live]").first
    expect(told).not_to_be_empty(timeout=PATIENCE)
    page.get_by_role("button", name="Show as table").first.click()
    expect(page.locator("figure.chart table tbody tr").first).to_be_visible(timeout=PATIENCE)


def test_a_picture_is_saved(visit: Any, made_page: Any, tmp_path: Path) -> None:
    page = visit(made_page, "#/charts/history").page
    chart(page)
    for item, ending, begin in (("PNG", "png", b"\x89PNG"), ("SVG", "svg", b"<svg")):
        page.get_by_role("button", name="Save").first.click()
        with page.expect_download(timeout=PATIENCE) as download:
            page.get_by_role("menuitem", name=re.compile(item)).click()
        assert download.value.suggested_filename.endswith(f".{ending}")
        path = tmp_path / f"picture.{ending}"
        download.value.save_as(path)
        content = path.read_bytes()
        assert begin in content[:200] and len(content) > 2000


def test_enter_opens_the_trial_of_the_cursor(visit: Any, made_page: Any) -> None:
    page = visit(made_page, "#/charts/history").page
    drawn = chart(page)
    drawn.focus()
    drawn.press("End")
    drawn.press("Enter")
    page.wait_for_url(re.compile(r"#/trials\?.*"))
    expect(page.locator(".trial-details")).to_be_visible(timeout=PATIENCE)


def test_one_filter_holds_for_every_kind(visit: Any, made_page: Any) -> None:
    page = visit(made_page, "#/charts/history").page
    chart(page)
    box = page.get_by_role("combobox", name="Filter")
    box.fill("number < 5")
    box.press("Enter")
    page.get_by_role("button", name="Show as table").first.click()
    rows = page.locator("figure.chart table tbody tr")
    expect(rows.nth(4)).not_to_be_visible(timeout=PATIENCE)
    page.get_by_role("link", name="Durations").click()
    settle(page)
    expect(page.get_by_role("combobox", name="Filter")).to_have_value("number < 5")


def test_a_filter_that_is_refused_says_where(visit: Any, made_page: Any) -> None:
    visitor = visit(made_page, "#/charts/history")
    visitor.watched.allow("Failed to load resource.*400")
    page = visitor.page
    chart(page)
    box = page.get_by_role("combobox", name="Filter")
    box.fill("lrr > 1")
    box.press("Enter")
    expect(page.locator(".filter-problem")).to_contain_text("lr", timeout=PATIENCE)


def test_the_best_trials_alone_are_drawn(visit: Any, made_page: Any) -> None:
    page = visit(made_page, "#/charts/parallel").page
    chart(page)
    page.get_by_role("button", name="Show as table").first.click()
    rows = page.locator("figure.chart table tbody tr")
    expect(rows.first).to_be_visible(timeout=PATIENCE)
    before = rows.count()
    page.get_by_label("Trials", exact=True).select_option("0.05")
    page.wait_for_function(
        "before => document.querySelectorAll('figure.chart table tbody tr').length < before", arg=before
    )
