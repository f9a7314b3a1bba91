"""The page in a real browser: for its tests, its measures and its pictures."""

from workspace.browser.chromium import chromium
from workspace.browser.stage import PageStage, Shown
from workspace.browser.watched import WatchedContext

__all__ = ["PageStage", "Shown", "WatchedContext", "chromium"]
