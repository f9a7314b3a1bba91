"""Takes the pictures: python -m workspace.screenshots.taking [--trials N] FOLDER, or --readme."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser

from workspace.browser import PageStage, Shown, chromium
from workspace.browser.places import places, settle
from workspace.environments import ROOT
from workspace.launch import run
from workspace.made_experiment.making import make
from workspace.screenshots import parser, readme

SCREENS = {"phone": (360, 740), "wide": (1600, 1000)}
"""Width and height of each screen, in pixels."""

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def main(words: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    options = parser().parse_args(words)
    with tempfile.TemporaryDirectory(prefix="nni-pictures-") as name:
        stage = PageStage(Path(name) / "stage")
        try:
            with chromium() as browser:
                if options.readme:
                    print(readme.take(browser, stage, ROOT))
                    return 0
                folder = Path(options.folder)
                folder.mkdir(parents=True, exist_ok=True)
                make(stage.experiments, "made", options.trials, 25, seed=0, files=50)
                take(browser, stage.view("made"), folder)
        finally:
            stage.close()
    return 0


def take(browser: Browser, shown: Shown, folder: Path) -> None:
    """Takes a picture of each place of a page on each screen, and prints its path.

    Args:
        browser: The browser.
        shown: The page.
        folder: Where the pictures go.
    """
    first = browser.new_context()
    page = first.new_page()
    page.goto(shown.link)
    page.wait_for_url(shown.address)
    signed_in = first.storage_state()
    first.close()
    for screen, (width, height) in SCREENS.items():
        for scheme in SCHEMES:
            context = browser.new_context(
                storage_state=signed_in, viewport={"width": width, "height": height}, color_scheme=scheme
            )
            page = context.new_page()
            for place in places():
                page.goto(f"{shown.address}#/{place}")
                settle(page)
                picture = folder / f"{place.replace('/', '-')}-{screen}-{scheme}.png"
                page.screenshot(path=picture)
                print(picture, flush=True)
            context.close()


if __name__ == "__main__":
    run("workspace.screenshots.taking")
