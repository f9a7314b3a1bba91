"""A pytest plugin: a test that was skipped fails the run, since a missing part proves nothing."""

from __future__ import annotations

import pytest


class _NoSkips:
    def __init__(self) -> None:
        self.skipped: dict[str, str] = {}

    def note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self.skipped[report.nodeid] = reason

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.note(report)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.skipped and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for test, reason in self.skipped.items():
            terminalreporter.write_line(f"skipped, which fails this run: {test}: {reason}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    """Registers the plugin's hooks."""
    config.pluginmanager.register(_NoSkips(), "no-skips")
