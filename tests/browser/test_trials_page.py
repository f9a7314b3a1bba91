"""What people do with the trials page, on an experiment that has ended."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

LIST = """parent => fetch("nni_proto.v1.ExperimentService/ListTrials", {
  method: "POST",
  headers: {"content-type": "application/json", "connect-protocol-version": "1"},
  body: JSON.stringify({parent, orderBy: "number", pageSize: 1000}),
}).then(answer => answer.json())"""


@pytest.fixture
def visitor(visit: Any, made_page: Any) -> Any:
    """Somebody who looks at the trials of the made experiment."""
    visitor = visit(made_page, "#/trials", viewport={"width": 1600, "height": 1000})
    expect(row(visitor.page, 0)).to_be_visible()
    return visitor


@pytest.fixture
def page(visitor: Any) -> Page:
    """The trials of the made experiment."""
    page: Page = visitor.page
    return page


def row(page: Page, place: int) -> Locator:
    return page.locator(f"[data-row='{place}']")


def headers(page: Page) -> list[str]:
    texts = page.get_by_role("columnheader").all_inner_texts()
    return [text.splitlines()[0] if text else "" for text in texts]


def cell(page: Page, place: int, column: str) -> Locator:
    return row(page, place).get_by_role("gridcell").nth(headers(page).index(column))


def select(page: Page, place: int, *, upto: bool = False) -> None:
    row(page, place).get_by_role("checkbox").click(modifiers=["Shift"] if upto else [])


def filter_box(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Filter")


def listed(page: Page, experiment_id: str) -> list[dict[str, Any]]:
    """Returns the trials that the service has, by their numbers."""
    trials: list[dict[str, Any]] = page.evaluate(LIST, f"experiments/{experiment_id}")["trials"]
    return trials


def plain(value: dict[str, Any]) -> Any:
    """Returns a value of the protocol's JSON form as Python has it."""
    ((kind, content),) = value.items()
    if kind == "objectValue":
        return {field["key"]: plain(field["value"]) for field in content.get("fields", [])}
    if kind == "doubleValue":
        return float(content)
    return int(content) if kind == "intValue" else content


def saved(page: Page, form: str, folder: Path) -> Path:
    """Exports the table and returns the file."""
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name=f"All rows as {form}").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_a_refused_filter_points_at_its_place_and_keeps_the_rows(visitor: Any, page: Page) -> None:
    visitor.watched.allow("400")
    filter_box(page).fill("lrr > 3 and status = FAILED")
    page.keyboard.press("Enter")
    problem = page.get_by_role("alert").filter(has_text="there is no column 'lrr'; did you mean 'lr'?")
    expect(problem.locator("pre")).to_have_text("lrr > 3 and status = FAILED\n^")
    expect(row(page, 0)).to_be_visible()
    filter_box(page).fill("status = FAILED and lr >")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").locator("pre")).to_contain_text(f"\n{' ' * 24}^")
    filter_box(page).fill("status = FAILED and lr > 0")
    page.keyboard.press("Enter")
    expect(cell(page, 0, "status")).to_have_text("Failed")
    expect(page.locator(".filter-problem")).to_be_empty()


def test_columns_and_their_values_are_suggested(visitor: Any, page: Page) -> None:
    # A filter is tried while it is half written.
    visitor.watched.allow("400")
    filter_box(page).press_sequentially("stat")
    page.get_by_role("option", name="status", exact=True).click()
    filter_box(page).press_sequentially("= fa")
    expect(page.get_by_role("option")).to_have_text(["FAILED"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(filter_box(page)).to_have_value("status = FAILED ")
    page.keyboard.press("Enter")
    expect(cell(page, 0, "status")).to_have_text("Failed")


def test_chips_choose_a_status_beside_the_filter(page: Page) -> None:
    filter_box(page).fill("lr > 0.001 or lr < 0.0001")
    page.keyboard.press("Enter")
    chips = page.get_by_role("group", name="Statuses")
    chips.get_by_role("button", name="Early stopped").click()
    expect(filter_box(page)).to_have_value("status = EARLY_STOPPED and (lr > 0.001 or lr < 0.0001)")
    expect(cell(page, 0, "status")).to_have_text("Early stopped")
    chips.get_by_role("button", name="Early stopped").click()
    expect(filter_box(page)).to_have_value("(lr > 0.001 or lr < 0.0001)")


def test_a_click_sorts_and_one_with_shift_sorts_among_equals(page: Page) -> None:
    header = page.get_by_role("columnheader")
    header.filter(has_text="batch_size").get_by_role("button").click()
    header.filter(has_text="number").get_by_role("button").click(modifiers=["Shift"])
    header.filter(has_text="number").get_by_role("button").click(modifiers=["Shift"])
    expect(header.filter(has_text="number")).to_have_attribute("aria-sort", "descending")
    expect(header.filter(has_text="batch_size")).to_have_attribute("aria-sort", "ascending")
    expect(cell(page, 0, "batch_size")).to_have_text("16")
    numbers = [int(cell(page, place, "number").inner_text()) for place in range(10)]
    assert numbers == sorted(numbers, reverse=True)
    assert "sort=batch_size%2C-number" in page.url


def test_columns_are_chosen_put_in_order_resized_and_remembered(page: Page) -> None:
    page.get_by_role("button", name="Columns").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Hide duration").click()
    dialog.get_by_role("button", name="Show optimizer._name").click()
    dialog.get_by_role("button", name="Move status to the left").press("Enter")
    shown = dialog.get_by_role("list", name="Shown columns")
    shown.get_by_role("listitem").filter(has_text="lr").first.drag_to(shown.get_by_role("listitem").first)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    handle = page.get_by_role("slider", name="Width of status")
    before = page.get_by_role("columnheader").filter(has_text="status").first.bounding_box()
    handle.press("ArrowRight")
    page.reload()
    expect(row(page, 0)).to_be_visible()
    names = headers(page)
    assert names[1:5] == ["lr", "number", "status", "id"]
    assert names[-1] == "optimizer._name" and "duration" not in names
    after = page.get_by_role("columnheader").filter(has_text="status").first.bounding_box()
    assert before is not None and after is not None
    assert after["width"] == before["width"] + 16


def test_a_range_is_selected_and_compared(page: Page) -> None:
    region = page.get_by_role("region", name="Selected trials")
    select(page, 1)
    select(page, 4, upto=True)
    expect(region).to_contain_text("4 trials selected")
    select(page, 2)
    expect(region).to_contain_text("3 trials selected")
    region.get_by_role("button", name="Compare").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("columnheader")).to_have_count(4)
    expect(dialog.get_by_role("row").filter(has_text="batch_size")).to_contain_text("(differs)")
    expect(dialog.get_by_role("row").filter(has_text="fixed")).not_to_contain_text("(differs)")
    dialog.get_by_role("button", name="Show as table").click()
    expect(dialog.locator("table").last.get_by_role("row")).to_have_count(4)
    page.keyboard.press("Escape")
    region.get_by_role("button", name="Select all 300").click()
    expect(region).to_contain_text("300 trials selected")
    expect(region.get_by_role("button", name="Compare")).to_be_disabled()
    region.get_by_role("button", name="Select none").click()
    select(page, 0)
    row(page, 0).focus()
    page.keyboard.press("End")
    select(page, 299, upto=True)
    expect(region).to_contain_text("300 trials selected")


def test_the_export_has_what_the_service_has(page: Page, made_page: Any, tmp_path: Path) -> None:
    trials = listed(page, made_page.experiment_id)
    with saved(page, "CSV", tmp_path).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    objects = json.loads(saved(page, "JSON", tmp_path).read_text(encoding="utf-8"))
    assert len(rows) == len(objects) == len(trials) == 300
    for trial, line, exported in zip(trials, rows, objects, strict=True):
        parameters = plain(trial["parameters"])
        number = trial.get("sequenceNumber", 0)
        status = trial["status"].removeprefix("STATUS_")
        assert (int(line["number"]), line["status"]) == (number, status)
        assert (exported["number"], exported["status"]) == (number, status)
        assert float(line["lr"]) == exported["lr"] == parameters["lr"]
        activation = parameters.get("activation")
        assert exported.get("activation") == activation
        is_formula = activation is not None and activation.startswith(("=", "+", "-", "@"))
        assert line["activation"] == (f"'{activation}" if is_formula else activation or "")


def test_an_address_shows_the_same_again(visit: Any, made_page: Any, page: Page) -> None:
    row(page, 0).click()
    filter_box(page).fill("number < 5")
    page.keyboard.press("Enter")
    expect(page.get_by_text("5 trials", exact=True)).to_be_visible()
    page.get_by_role("columnheader").filter(has_text="number").get_by_role("button").click()
    page.get_by_role("columnheader").filter(has_text="number").get_by_role("button").click()
    expect(cell(page, 0, "number")).to_have_text("4")
    row(page, 1).click()
    expect(page.get_by_role("region", name="Trial 3", exact=True)).to_be_visible()
    other = visit(made_page, page.url.removeprefix(made_page.address)).page
    expect(other.get_by_role("region", name="Trial 3", exact=True)).to_be_visible()
    expect(cell(other, 0, "number")).to_have_text("4")
    expect(filter_box(other)).to_have_value("number < 5")


def test_the_keyboard_alone_does_it(page: Page) -> None:
    row(page, 0).focus()
    page.keyboard.press("ArrowDown")
    expect(row(page, 1)).to_be_focused()
    page.keyboard.press("Space")
    expect(row(page, 1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    details = page.get_by_role("region", name="Trial 1", exact=True)
    expect(details).to_be_visible()
    page.keyboard.press("Enter")
    expect(details).to_have_count(0)
    # Only what can be seen is drawn.
    assert page.locator("[data-row]").count() < 100
    page.keyboard.press("End")
    expect(row(page, 299)).to_be_focused()
    expect(cell(page, 299, "number")).to_have_text("299")
    page.keyboard.press("Home")
    expect(row(page, 0)).to_be_focused()


def test_there_is_nothing_to_press_once_the_experiment_is_over(page: Page) -> None:
    row(page, 0).click()
    expect(page.get_by_role("tab", name="Parameters")).to_be_visible()
    for name in ("Run again", "Clone", "Kill", "New trial"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
