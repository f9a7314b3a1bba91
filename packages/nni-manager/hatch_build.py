"""The package's build: the finished page goes into it."""

from __future__ import annotations

import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface[Any]):
    """Builds the page when its sources have changed; a source archive brings the finished one along."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Returns what is to be installed for the build: a Node, where it is needed and there is none."""
        page = self._page()
        if page.is_built():
            return []
        try:
            page.find_node()
        except page.PageError:
            return [page.NODE_REQUIREMENT]
        return []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Builds the page before anything is packed."""
        page = self._page()
        try:
            page.build()
        except page.PageError as error:
            self.app.abort(str(error))

    def _page(self) -> Any:
        if self.root not in sys.path:
            sys.path.insert(0, self.root)
        import build_page

        return build_page
