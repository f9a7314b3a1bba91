"""Where in the page there is something to see, and when it is there."""

from __future__ import annotations

import re

from playwright.sync_api import Page

from workspace.environments import ROOT

_WEB = ROOT / "packages" / "nni-manager" / "web" / "src"
_PATIENCE = 30_000
# Nothing says that it is still being fetched, and nothing has moved for a moment.
_SETTLED = """() => {
  const main = document.querySelector("main");
  if (!main || !main.textContent.trim() || /Loading \\.\\.\\./.test(main.textContent) ||
      document.querySelector("[aria-busy=true]")) return false;
  const now = main.innerHTML.length, seen = window.settledAt;
  if (!seen || seen.length !== now) {
    window.settledAt = { length: now, at: performance.now() };
    return false;
  }
  return performance.now() - seen.at > 400;
}"""


def places() -> list[str]:
    """Returns the routes of the page, every kind of chart among them."""
    return ["overview", "trials", "experiments", *(f"charts/{kind}" for kind in chart_kinds())]


def chart_kinds() -> list[str]:
    """Returns the kinds of charts, as the page's source names them."""
    text = (_WEB / "pages" / "charts" / "kinds.ts").read_text()
    return list(dict.fromkeys(re.findall(r'(?:kind|name|key|id): "([a-z_-]+)"', text)))


def settle(page: Page) -> None:
    """Waits until the page shows its content."""
    page.wait_for_function(_SETTLED, timeout=_PATIENCE, polling=100)
