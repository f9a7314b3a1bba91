"""The page behind proxies, and with a manager that goes and comes back."""

from __future__ import annotations

import signal
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import Page, expect
from workspace.browser import PageStage, Shown
from workspace.browser.mapped_port import mapped_port
from workspace.browser.places import settle
from workspace.browser.stripping_proxy import stripping_proxy

PATIENCE = 30_000
ENDLESS = """\
trialConcurrency: 1
maxTrialNumber: 1000
searchSpace:
  x: {_type: uniform, _value: [0, 1]}
tuner: {name: Random}
trainingService: {platform: local}
"""
TRIAL = "import nni; nni.report_final_result(nni.get_next_parameter()['x'])"


def shows_everything(page: Page, address: str) -> None:
    """Fails unless pages, charts and the stream work under an address."""
    expect(page.get_by_text("Live").first).to_be_visible(timeout=PATIENCE)
    for place in ("trials", "charts/history", "experiments"):
        page.goto(f"{address}#/{place}")
        settle(page)
    expect(page.get_by_role("grid").first).to_be_visible(timeout=PATIENCE)


def test_under_a_prefix_that_a_proxy_leaves_on_and_by_a_mapped_port(
    visit: Any, start_search: Any, stage: PageStage
) -> None:
    everywhere = ("--bind", "0.0.0.0", "--allow-plaintext", "--allowed-host", "box.localhost")
    started = start_search(ENDLESS, TRIAL, "--url-prefix", "a/b", *everywhere)
    here = f"http://127.0.0.1:{urlsplit(started.link).port}"  # and not by this machine's name
    shown = Shown(started.experiment_id, started.link.replace(started.origin, here))
    assert urlsplit(shown.address).path == "/a/b/"
    visitor = visit(shown)
    shows_everything(visitor.page, shown.address)
    assert {urlsplit(each).path.startswith("/a/b/") for each in visitor.watched.requests} == {True}
    with mapped_port(urlsplit(shown.link).port or 0) as port:
        origin = f"http://box.localhost:{port}"
        link = Shown(shown.experiment_id, stage.link(shown.experiment_id).replace(started.origin, origin))
        outside = visit(link)
        outside.page.goto(f"{link.address}#/trials")
        expect(outside.page.get_by_role("grid")).to_be_visible(timeout=PATIENCE)
        progress = outside.page.get_by_role("progressbar").locator("..")
        expect(progress).not_to_have_text(progress.inner_text(), timeout=PATIENCE)  # the stream goes on
        request = urllib.request.Request(f"http://127.0.0.1:{port}/a/b/", headers={"Host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=PATIENCE)
        refused.value.close()
        assert refused.value.code == 403
        outside.page.goto("about:blank")


def test_behind_a_proxy_that_takes_its_prefix_off(visit: Any, start_search: Any) -> None:
    shown = start_search(ENDLESS)
    with stripping_proxy(shown.origin, "/user/somebody/proxy/8080") as address:
        visitor = visit(shown, is_signed_in=False)
        visitor.watched.origins = {address.partition("/user")[0]}
        page = visitor.page
        page.goto(f"{address}{shown.link.removeprefix(shown.address)}")
        page.wait_for_url(address)
        shows_everything(page, address)
        page.goto("about:blank")


def test_a_manager_that_was_killed_and_resumed_needs_no_new_sign_in(
    visit: Any, start_search: Any, stage: PageStage
) -> None:
    shown: Shown = start_search(ENDLESS)
    visitor = visit(shown)
    visitor.watched.allow("Failed to load resource|ERR_")
    page = visitor.page
    live, stale = page.get_by_text("Live").first, page.get_by_text("Out of date since")
    expect(live).to_be_visible(timeout=PATIENCE)
    settle(page)
    manager_of(shown.experiment_id).send_signal(signal.SIGKILL)
    expect(stale).to_be_visible(timeout=PATIENCE)
    expect(page.locator("header").first).to_contain_text(shown.experiment_id)  # what it had is kept
    page.get_by_role("link", name="Charts", exact=True).click()  # a part that was not fetched before
    expect(page.get_by_text("could not be fetched")).to_be_visible(timeout=PATIENCE)
    port = str(urlsplit(shown.link).port)
    stage.nnictl("resume", shown.experiment_id, "--port", port)
    expect(stale).to_be_hidden(timeout=2 * PATIENCE)
    expect(page.locator(".chart-view")).to_be_visible(timeout=PATIENCE)
    expect(live).to_be_visible(timeout=PATIENCE)


def manager_of(experiment_id: str) -> psutil.Process:
    """Returns the process of an experiment's manager."""
    (found,) = [
        process
        for process in psutil.process_iter(["cmdline"])
        if "nni_manager" in (words := process.info["cmdline"] or [])
        and any(experiment_id in word for word in words)
    ]
    return found
