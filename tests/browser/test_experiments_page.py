from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect
from workspace.browser import PageStage, Shown
from workspace.made_experiment.making import make

SLOW_SEARCH = """\
experimentName: still going
trialConcurrency: 1
maxTrialNumber: 100
searchSpace:
  x: {_type: uniform, _value: [0, 1]}
tuner: {name: Random}
trainingService: {platform: local}
"""

SLOW_TRIAL = """\
import time
import nni
parameters = nni.get_next_parameter()
nni.report_final_result(parameters["x"])
time.sleep(600)
"""


@pytest.fixture(scope="module")
def own_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageStage]:
    """A folder with three experiments that have ended, one that runs, and one whose record is broken."""
    stage = PageStage(tmp_path_factory.mktemp("folder") / "stage")
    try:
        for place, trials in enumerate((60, 40, 20)):
            make(stage.experiments, f"ended{place}", trials, 2, seed=place, files=1)
        broken = make(stage.experiments, "broken", 1, 1, seed=9, files=0)
        (broken / "summary.json").unlink(missing_ok=True)
        (broken / "db" / "experiment.sqlite").write_bytes(b"not a record at all")
        yield stage
    finally:
        stage.close()


@pytest.fixture(scope="module")
def running(own_stage: PageStage) -> Shown:
    """The experiment that runs."""
    return own_stage.start(SLOW_SEARCH, SLOW_TRIAL)


@pytest.fixture(scope="module")
def viewed(own_stage: PageStage, running: Shown) -> Shown:
    """The page of one that has ended."""
    return own_stage.view("ended0")


def row_of(page: Page, experiment_id: str) -> Locator:
    """Returns an experiment's row."""
    box = page.get_by_role("checkbox", name=re.compile(f", {experiment_id}$"))
    return page.get_by_role("row").filter(has=box)


def mark(page: Page, *experiment_ids: str) -> None:
    """Marks experiments."""
    for experiment_id in experiment_ids:
        row_of(page, experiment_id).get_by_role("checkbox").check()


def test_all_of_the_folder_are_there_those_that_run_and_the_broken_one(
    visit: Any, viewed: Shown, running: Shown
) -> None:
    page = visit(viewed, "#/experiments").page
    expect(page.get_by_role("status").filter(has_text="5 experiments")).to_be_visible()
    expect(row_of(page, "ended1")).to_contain_text("Stopped")
    expect(row_of(page, "ended1")).to_contain_text("40")
    expect(row_of(page, "ended0")).to_contain_text("this one")
    expect(row_of(page, running.experiment_id)).to_contain_text("Running, live")
    expect(row_of(page, "broken")).to_contain_text("Broken")
    expect(page.get_by_text("cannot read the record")).to_be_visible()


def test_the_list_is_searched_narrowed_and_sorted_and_the_address_says_so(
    visit: Any, viewed: Shown, running: Shown
) -> None:
    page = visit(viewed, "#/experiments").page
    expect(row_of(page, "ended2")).to_be_visible()
    page.get_by_label("Search").fill("STILL going")
    expect(page.get_by_text("1 of 5 experiments")).to_be_visible()
    expect(row_of(page, running.experiment_id)).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    page.get_by_label("Status").select_option("Stopped")
    expect(page.get_by_text("3 of 5 experiments")).to_be_visible()
    header = page.get_by_role("columnheader", name="Trials")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    rows = page.locator("[data-row]")
    expect(rows.nth(0)).to_contain_text("ended2")
    page.reload()
    expect(page.get_by_text("3 of 5 experiments")).to_be_visible()
    expect(rows.nth(0)).to_contain_text("ended2")
    page.get_by_label("Search").fill("nothing has this name")
    expect(page.get_by_text("No experiment is like that")).to_be_visible()


def test_one_that_has_ended_opens_in_the_same_page_by_keys_alone(visit: Any, viewed: Shown) -> None:
    page = visit(viewed, "#/experiments?sort=-trials&state=Stopped").page
    first = page.locator("[data-row='0']")
    expect(first).to_contain_text("ended0")
    first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-row='1']")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#/e/ended1/overview$"))
    expect(page.get_by_text("opened read-only")).to_be_visible()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
    page.get_by_role("link", name="Trials", exact=True).click()
    expect(page.get_by_text("40 trials", exact=True)).to_be_visible()


def test_one_that_runs_opens_in_a_tab_of_its_own_signed_in(visit: Any, viewed: Shown, running: Shown) -> None:
    visitor = visit(viewed, "#/experiments")
    visitor.watched.origins.add(running.origin)
    name = row_of(visitor.page, running.experiment_id).get_by_role("button", name="still going")
    with visitor.watched.context.expect_page() as opened:
        name.click()
    tab = opened.value
    tab.wait_for_url(f"{running.address}**")
    expect(tab.locator(".top-name")).to_contain_text("still going")
    expect(tab.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    assert "code=" not in tab.url
    assert tab.evaluate("window.opener") is None


def test_several_are_compared(visit: Any, viewed: Shown) -> None:
    page = visit(viewed, "#/experiments").page
    mark(page, "ended0", "ended1", "ended2")
    page.get_by_role("button", name="Compare").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Compare 3 experiments")
    expect(dialog.locator(".experiments-compare th[scope=col]")).to_have_count(4)
    expect(dialog.get_by_role("row", name="Trials").get_by_role("cell")).to_have_text(["20", "40", "60"])
    expect(dialog.locator("canvas")).to_be_visible()
    dialog.get_by_label("Along").select_option("time")
    dialog.get_by_role("button", name="Show as table").click()
    expect(dialog.locator(".chart-table tbody tr").first).to_contain_text("ended")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Compare")).to_be_focused()


def test_one_is_deleted_once_its_id_is_written(visit: Any, own_stage: PageStage, viewed: Shown) -> None:
    page = visit(viewed, "#/experiments").page
    expect(row_of(page, "ended1")).to_be_visible()
    folder = make(own_stage.experiments, "unwanted", 5, 1, seed=5, files=2)
    mark(page, "unwanted")  # it appears without being asked for
    page.get_by_role("button", name="Delete", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile(r"frees \d[\d.]* kB"))
    dialog.get_by_label("To confirm").fill("ended1")
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog.get_by_role("alert")).to_contain_text("not its id")
    assert folder.is_dir()
    dialog.get_by_label("To confirm").fill("unwanted")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Experiment unwanted is deleted")).to_be_visible()
    expect(row_of(page, "unwanted")).to_have_count(0)
    assert not folder.exists()


def test_none_that_a_manager_has_can_be_deleted(visit: Any, viewed: Shown, running: Shown) -> None:
    page = visit(viewed, "#/experiments").page
    for experiment_id in (running.experiment_id, "ended0"):
        mark(page, experiment_id)
        expect(page.get_by_role("button", name="Delete", exact=True)).to_be_disabled()
        expect(page.get_by_role("button", name=f"Delete {experiment_id}")).to_have_count(0)
        page.get_by_role("button", name="Select none").click()


def test_who_may_only_look_is_told_why_there_is_no_list(
    visit: Any, own_stage: PageStage, running: Shown
) -> None:
    looking = Shown(running.experiment_id, own_stage.link(running.experiment_id, "--view-only"))
    page = visit(looking, "#/experiments").page
    expect(page.get_by_text("signed in for viewing one experiment")).to_be_visible()
    expect(page.get_by_role("grid")).to_have_count(0)


def test_a_phone_shows_it_all(visit: Any, viewed: Shown, tmp_path: Path) -> None:
    page = visit(viewed, "#/experiments", viewport={"width": 360, "height": 740}).page
    mark(page, "ended1", "ended2")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("dialog").locator("canvas")).to_be_visible()
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_list_and_its_windows_can_be_used_by_everybody(visit: Any, viewed: Shown, scheme: str) -> None:
    page = visit(viewed, "#/experiments", color_scheme=scheme).page
    expect(page.get_by_text("cannot read the record")).to_be_visible()
    mark(page, "ended1")
    assert serious_findings(page) == []
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert serious_findings(page) == []
    page.keyboard.press("Escape")
    mark(page, "ended2")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("dialog").locator("canvas")).to_be_visible()
    assert serious_findings(page) == []


def serious_findings(page: Page) -> list[str]:
    """Returns what keeps somebody from using the page."""
    return [
        f"{each['id']}: {node['target']}"
        for each in Axe().run(page).response["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
