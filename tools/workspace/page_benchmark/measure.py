"""Makes the experiment, opens its page in Chromium, and prints the measures beside what they may be.

python -m workspace.page_benchmark.measure [--trials N] [--intermediates N] [--nni-python PYTHON]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page

from workspace.browser import PageStage, Shown, chromium
from workspace.launch import run
from workspace.made_experiment.making import make
from workspace.page_benchmark import parser
from workspace.page_benchmark.nni_page import nni_page
from workspace.page_benchmark.traffic import Traffic
from workspace.progress import table

_FILTER = "lr > 1e-3 and objective > 0.5"
_PATIENCE = 60_000
_LONGEST_SECONDS = 90.0
_MEMORY = "memory of the page's objects (MB)"
_FIRST_PAINT = """() => new Promise((resolve) => {
  const found = () => performance.getEntriesByName("first-contentful-paint")[0];
  if (found()) resolve(found().startTime);
  else new PerformanceObserver(() => found() && resolve(found().startTime)).observe({type: "paint"});
})"""
# What scrolls is the innermost box that can; frames are as long as the browser takes between two drawings.
_SCROLL = """async () => {
  const boxes = [...document.querySelectorAll("main *")].filter(
    (each) => each.scrollHeight > each.clientHeight + 50 &&
      /auto|scroll/.test(getComputedStyle(each).overflowY));
  const box = boxes.at(-1) || document.scrollingElement;
  const frames = [];
  let last = await new Promise(requestAnimationFrame);
  for (let step = 0; step < 90; step++) {
    box.scrollTop += 200;
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - last);
    last = now;
  }
  return frames.sort((one, other) => one - other);
}"""

Row = tuple[str, str, str]


def main(words: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    options = parser().parse_args(words)
    with tempfile.TemporaryDirectory(prefix="nni-page-") as name:
        stage = PageStage(Path(name) / "stage")
        try:
            made = make(stage.experiments, "made", options.trials, options.intermediates, seed=0, files=50)
            shown = stage.view(made.name)
            with chromium("--enable-precise-memory-info") as browser:
                rows = _measures(browser, shown)
                theirs = _theirs(browser, options, Path(name) / "nni")
        finally:
            stage.close()
    print(f"{options.trials} trials with {options.intermediates} intermediate results each")
    columns = [(measure, ours, theirs.get(measure, ""), limit) for measure, ours, limit in rows]
    print(table([("measure", "measured", "NNI 3.0", "at most"), *columns]))
    if options.nni_python is None:
        print("NNI's page was not measured: --nni-python names an interpreter that has NNI 3.0")
    return 0


def _theirs(browser: Browser, options: argparse.Namespace, home: Path) -> dict[str, str]:
    """Returns NNI's figures by the names of the measures; it has no page of charts of its own."""
    if options.nni_python is None:
        return {}
    context = browser.new_context(viewport={"width": 1600, "height": 900})
    page = context.new_page()
    page.set_default_timeout(_PATIENCE)
    with nni_page(options.nni_python, home, options.trials, options.intermediates) as address:
        rows: list[Row] = []
        for name, path in (("overview", "oview"), ("trials", "detail"), ("experiments", "experiment")):
            rows += _opened(page, f"{address}{path}", name)
        page.goto(f"{address}detail")
        page.get_by_role("grid").or_(page.get_by_role("table")).first.wait_for()
        rows += _scrolled(page)
        rows.append((_MEMORY, f"{_memory(page):.0f}", ""))
        context.close()
    return {measure: value for measure, value, _ in rows}


def _measures(browser: Browser, shown: Shown) -> list[Row]:
    context = browser.new_context(viewport={"width": 1600, "height": 900})
    page = context.new_page()
    page.set_default_timeout(_PATIENCE)
    page.goto(shown.link)
    page.wait_for_url(shown.address)
    rows: list[Row] = []
    for name in ("overview", "trials", "charts", "experiments"):
        rows += _opened(page, f"{shown.address}#/{name}", name)
    page.goto(f"{shown.address}#/trials")
    page.get_by_role("grid").or_(page.get_by_role("table")).first.wait_for()
    rows += _scrolled(page)
    rows += _filtered(page)
    rows.append((_MEMORY, f"{_memory(page):.0f}", "150"))
    context.close()
    return rows


def _opened(page: Page, address: str, name: str) -> list[Row]:
    """Opens a page as somebody does who comes to it first, and waits until it asks for nothing more."""
    traffic = Traffic(page)
    page.goto("about:blank")
    began = time.monotonic()
    page.goto(address)
    paint = page.evaluate(_FIRST_PAINT)
    while not traffic.is_quiet(1.0) and time.monotonic() - began < _LONGEST_SECONDS:
        page.wait_for_timeout(50)
    traffic.close()
    rows = [
        (f"{name}: first paint (ms)", f"{paint:.0f}", "1000"),
        (f"{name}: everything there (ms)", f"{1000 * (traffic.shown_at - began):.0f}", "2000"),
        (f"{name}: bytes sent (MB)", f"{traffic.bytes / 1e6:.2f}", "2"),
    ]
    if traffic.ahead_at is not None:
        ahead = f"{1000 * (traffic.ahead_at - began):.0f}"
        rows.append((f"{name}: importance, asked for ahead (ms)", ahead, ""))
    return rows


def _scrolled(page: Page) -> list[Row]:
    frames = page.evaluate(_SCROLL)
    middle, late = frames[len(frames) // 2], frames[len(frames) * 95 // 100]
    return [
        ("trials: a frame while scrolling, median (ms)", f"{middle:.0f}", "20"),
        ("trials: a frame while scrolling, 95 of 100 (ms)", f"{late:.0f}", "50"),
    ]


def _filtered(page: Page) -> list[Row]:
    box = (
        page.get_by_role("textbox").or_(page.get_by_role("searchbox")).or_(page.get_by_role("combobox")).first
    )
    box.fill(_FILTER)
    began = time.monotonic()
    with page.expect_response(lambda answer: "ListTrials" in answer.url, timeout=_PATIENCE) as answered:
        box.press("Enter")
    answered.value.finished()
    return [("trials: a filter's answer (ms)", f"{1000 * (time.monotonic() - began):.0f}", "300")]


def _memory(page: Page) -> float:
    return float(page.evaluate("performance.memory.usedJSHeapSize")) / 1e6


if __name__ == "__main__":
    run("workspace.page_benchmark.measure")
