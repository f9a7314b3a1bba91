"""A browser, experiments to look at, and pages that may do nothing wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from workspace.browser import PageStage, Shown, WatchedContext, chromium
from workspace.made_experiment.making import make

# Where many tests run side by side, pages are slow.
expect.set_options(timeout=20_000)

SEARCH = """\
experimentName: a search
trialConcurrency: 2
maxTrialNumber: 100
searchSpace:
  x: {_type: uniform, _value: [0, 1]}
  lr: {_type: loguniform, _value: [0.0001, 0.1]}
tuner: {name: Random}
trainingService: {platform: local}
"""

TRIAL = """\
import time
import nni
parameters = nni.get_next_parameter()
print("<b>hello</b>", parameters, flush=True)
for step in range(5):
    nni.report_intermediate_result(parameters["x"] * step / 5)
    time.sleep(0.05)
nni.report_final_result({"default": parameters["x"], "loss": 1 - parameters["x"]})
"""


class Visitor:
    """Somebody with a browser of their own.

    Attributes:
        watched: The browser.
        page: Its window.
    """

    def __init__(self, watched: WatchedContext) -> None:
        self.watched = watched
        self.page: Page = watched.context.new_page()


Visit = Callable[..., Visitor]
StartSearch = Callable[..., Shown]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for the tests of a file: while it is there, no other test can run a loop of its own."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageStage]:
    """Where experiments are started and shown."""
    stage = PageStage(tmp_path_factory.mktemp("stage") / "stage")
    try:
        yield stage
    finally:
        stage.close()


@pytest.fixture(scope="session")
def made(stage: PageStage) -> Path:
    """The folder of an experiment with a few hundred trials of all kinds."""
    return make(stage.experiments, "made", 300, 10, seed=0, files=20)


@pytest.fixture(scope="session")
def made_page(stage: PageStage, made: Path) -> Shown:
    """The page of an experiment that has ended."""
    return stage.view(made.name)


@pytest.fixture
def start_search(stage: PageStage) -> Iterator[StartSearch]:
    """Starts a search of the test's own: start_search(config=SEARCH, trial=TRIAL, *options)."""
    started: list[Shown] = []

    def start(config: str = SEARCH, trial: str = TRIAL, *words: str) -> Shown:
        started.append(stage.start(config, trial, *words))
        return started[-1]

    yield start
    running = stage.nnictl("experiment", "list")
    for shown in started:
        if shown.experiment_id in running:
            stage.nnictl("stop", shown.experiment_id)


@pytest.fixture(scope="session")
def cookies() -> dict[str, object]:
    """The cookies that printed links were redeemed for."""
    return {}


@pytest.fixture(scope="module")
def signed_in(browser: Browser, cookies: dict[str, object]) -> Callable[[Shown], object]:
    """Returns the cookies of somebody who has opened a printed link, which works once."""

    def state(shown: Shown) -> object:
        if shown.link not in cookies:
            context = browser.new_context()
            page = context.new_page()
            page.goto(shown.link)
            page.wait_for_url(shown.address)
            cookies[shown.link] = context.storage_state()
            context.close()
        return cookies[shown.link]

    return state


@pytest.fixture
def visit(browser: Browser, signed_in: Callable[[Shown], object]) -> Iterator[Visit]:
    """Opens a page in a browser of its own: visit(shown, fragment="", is_signed_in=True, **options).

    At the end of the test none of them may have had an error on its console, broken the content security
    policy, or asked for something elsewhere.
    """
    opened: list[WatchedContext] = []

    def go(shown: Shown, fragment: str = "", *, is_signed_in: bool = True, **options: object) -> Visitor:
        state = signed_in(shown) if is_signed_in else None
        watched = WatchedContext(browser, shown.origin, storage_state=state, **options)
        opened.append(watched)
        visitor = Visitor(watched)
        if is_signed_in:
            visitor.page.goto(f"{shown.address}{fragment}")
        return visitor

    yield go
    problems = [problem for watched in opened for problem in watched.problems()]
    for watched in opened:
        watched.close()
    assert problems == []
