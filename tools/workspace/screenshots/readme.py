"""The picture in the README: the overview of a search that has just ended."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, ViewportSize, expect

from workspace.browser import PageStage
from workspace.browser.places import settle

PICTURE = Path("docs") / "images" / "overview.png"
"""Where the picture is in the repository."""

_SCREEN: ViewportSize = {"width": 1280, "height": 640}
_SECONDS = 300

_SEARCH = """\
experimentName: digits
trialConcurrency: 2
maxTrialNumber: 40
searchSpace:
  lr: {_type: loguniform, _value: [0.0001, 0.1]}
  units: {_type: choice, _value: [32, 64, 128, 256]}
  dropout: {_type: uniform, _value: [0, 0.6]}
tuner: {name: TPE, classArgs: {optimize_mode: maximize, seed: 1}}
trainingService: {platform: local}
"""

_TRIAL = """\
import math
import nni
parameters = nni.get_next_parameter()
distance = abs(math.log10(parameters["lr"]) + 2.4) / 2 + abs(parameters["dropout"] - 0.25)
best = 0.985 - 0.12 * distance - 0.3 / parameters["units"]
for epoch in range(10):
    nni.report_intermediate_result(best * (1 - math.exp(-(epoch + 1) / 2)))
nni.report_final_result(best)
"""


def take(browser: Browser, stage: PageStage, root: Path) -> Path:
    """Runs a search and takes the picture.

    Args:
        browser: The browser.
        stage: Where the search is started.
        root: The repository.

    Returns:
        The picture's path.
    """
    shown = stage.start(_SEARCH, _TRIAL)
    page = browser.new_page(viewport=_SCREEN, color_scheme="light")
    page.goto(shown.link)
    page.wait_for_url(shown.address)
    expect(page.locator(".top-name")).to_contain_text("Done", timeout=_SECONDS * 1000)
    page.reload()  # so that no result is still on its way to the chart
    settle(page)
    picture = root / PICTURE
    picture.parent.mkdir(exist_ok=True)
    page.screenshot(path=picture)
    page.close()
    return picture
