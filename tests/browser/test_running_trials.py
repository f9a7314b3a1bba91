"""What people do with the trials page while the experiment runs: its trials do what the tests tell them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from workspace.browser import PageStage, Shown

CONFIG = """\
trialConcurrency: 2
maxTrialNumber: 100
searchSpace:
  x: {_type: uniform, _value: [0, 1]}
  note: {_type: choice, _value: ["<b>bold</b>"]}
  layer0:
    _type: choice
    _value:
      - {_name: Conv, units: {_type: randint, _value: [8, 64]}}
      - {_name: Dense, width: {_type: randint, _value: [8, 64]}}
tuner: {name: Random}
trainingService: {platform: local}
"""

# The trials after the first two do what they are told, line by line, in a file of the name of their number.
TRIAL = r"""
import os, pathlib, sys, time
import nni
nni.get_next_parameter()
number = int(nni.get_sequence_id())
output = pathlib.Path(os.environ["NNI_OUTPUT_DIR"])
told = pathlib.Path("FOLDER") / str(number)
done = 0
if number == 0:
    print("\x1b[31mred words\x1b[0m", flush=True)
    print("<img src=x onerror=alert(1)>", flush=True)
    (output / "<b>weights.bin").write_bytes(bytes(range(256)))
    for step in range(10):
        result = {"default": step / 10, "loss": 2 - step / 10}
        if step % 3 == 0:
            result["acc"] = step / 20
        nni.report_intermediate_result(result)
    nni.report_final_result({"default": 0.9, "loss": 1.1})
if number == 1:
    print("no data in <data>", file=sys.stderr)
    raise SystemExit(3)
while number > 1:
    lines = told.read_text().splitlines() if told.exists() else []
    for line in lines[done:]:
        if line == "end":
            raise SystemExit
        print(line, flush=True)
    done = len(lines)
    time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("told")


@pytest.fixture(scope="module")
def running(stage: PageStage, told: Path) -> Iterator[Shown]:
    shown = stage.start(CONFIG, TRIAL.replace("FOLDER", str(told)))
    yield shown
    stage.nnictl("stop", shown.experiment_id)


@pytest.fixture
def page(visit: Any, running: Shown) -> Page:
    visitor = visit(running, "#/trials", viewport={"width": 1600, "height": 1000})
    visitor.watched.allow("400 .*/CreateTrial")  # a value that is refused
    page: Page = visitor.page
    expect(status(page, 0)).to_contain_text("Succeeded")
    expect(status(page, 1)).to_contain_text("Failed")
    return page


def status(page: Page, number: int) -> Locator:
    return page.locator(f"[data-row='{number}']").get_by_role("gridcell").nth(3)


def opened(page: Page, number: int, tab: str) -> Locator:
    """Opens a trial's details."""
    status(page, number).click()
    details = page.get_by_role("region", name=f"Trial {number}", exact=True)
    details.get_by_role("tab", name=tab).click()
    return details


def said(page: Page) -> Locator:
    return page.get_by_role("log", name="Results of actions")


def test_each_entry_of_a_result_is_a_column_and_a_curve(page: Page) -> None:
    expect(page.get_by_role("columnheader", name="metric.loss")).to_be_visible()
    details = opened(page, 0, "Results")
    details.get_by_label("Entry").select_option("acc")
    details.get_by_role("button", name="Show as table").click()
    # acc is there at every third step.
    expect(details.locator("table").last).to_contain_text("lowest")
    expect(details.locator("table").last.get_by_role("row").last).to_contain_text("0.45")


def test_a_log_has_its_colours_and_no_markup_and_files_can_be_saved(page: Page, tmp_path: Path) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a script of a trial ran: {dialog.message}"))
    details = opened(page, 0, "Log")
    expect(details.locator(".ansi-red")).to_have_text("red words")
    expect(details.get_by_role("log", name="stdout")).to_contain_text("<img src=x onerror=alert(1)>")
    details.get_by_role("tab", name="Files").click()
    with page.expect_download() as download:
        details.get_by_role("button", name="Download <b>weights.bin").click()
    download.value.save_as(tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes() == bytes(range(256))


def test_a_failed_trial_shows_why(page: Page) -> None:
    details = opened(page, 1, "Log")
    expect(details).to_contain_text("exit code 3")
    expect(details.get_by_role("figure")).to_contain_text("no data in <data>")
    expect(details.get_by_role("log", name="stderr")).to_contain_text("no data in <data>")


def test_a_trial_is_cloned_and_killed_while_an_open_log_goes_on(page: Page, told: Path) -> None:
    details = opened(page, 2, "Log")
    (told / "2").write_text("first words\n")
    log = details.get_by_role("log", name="stdout")
    expect(log).to_contain_text("first words")

    opened(page, 0, "Parameters").get_by_role("button", name="Clone").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("x", exact=True).fill("7")
    expect(dialog).to_contain_text("the search space goes from 0 to 1")
    dialog.get_by_role("button", name="Add the trial").click()
    expect(dialog.locator(".field", has_text="x").first).to_contain_text("not within the search space")
    dialog.get_by_label("x", exact=True).fill("0.25")
    dialog.get_by_label("layer0._name").select_option("Dense")
    dialog.get_by_label("layer0.units").fill("")
    dialog.get_by_label("layer0.width").fill("16")
    dialog.get_by_role("button", name="Add the trial").click()
    expect(said(page)).to_contain_text("Trial 4 was added")

    # It came without a parameter id and waits; the row that was open before still is.
    expect(status(page, 4)).to_contain_text("Waiting")
    (told / "2").write_text("first words\nsecond words\n")
    expect(log).to_contain_text("second words")
    waiting = opened(page, 4, "Log")
    expect(waiting).to_contain_text("Waits: every slot is taken")
    expect(waiting.get_by_role("tabpanel")).to_contain_text("has not started")
    expect(waiting).not_to_contain_text("Parameter id")
    waiting.get_by_role("tab", name="Parameters").click()
    expect(waiting.get_by_role("row").filter(has_text="layer0.width")).to_contain_text("16")

    opened(page, 3, "Parameters").get_by_role("button", name="Kill").click()
    page.get_by_role("dialog").get_by_role("button", name="Kill").click()
    expect(status(page, 3)).to_contain_text("User canceled")
    expect(status(page, 4)).to_contain_text("Running")
    opened(page, 1, "Parameters").get_by_role("button", name="Run again").click()
    expect(said(page)).to_contain_text(re.compile(r"Trial \d+ was added"))


def test_somebody_who_only_looks_has_nothing_to_press(visit: Any, stage: PageStage, running: Shown) -> None:
    link = stage.link(running.experiment_id, "--view-only")
    page = visit(Shown(running.experiment_id, link), "#/trials").page
    details = opened(page, 0, "Parameters")
    expect(details.get_by_role("row").filter(has_text="note")).to_contain_text("<b>bold</b>")
    page.get_by_label("Select trial 1").click()
    for name in ("Run again", "Clone", "Kill", "New trial", "TensorBoard"):
        expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
