"""What trials report, as metrics in Azure ML's studio, and what becomes of it when that fails."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from nni_manager.engine.events import Report, TrialReported
from nni_manager.engine.statuses import MetricKind
from nni_manager.training.aml import studio
from nni_manager.training.aml.errors import AzureRefusedError, Refusal
from nni_manager.training.aml.metrics import Metric, metrics_of
from nni_manager.training.aml.studio import MOST_AT_ONCE, StudioMetrics
from nni_manager.training.jobs.platform import PlatformAwayError

AT = 1_700_000_000.25


def reported(*values: Any, kind: MetricKind = MetricKind.INTERMEDIATE) -> TrialReported:
    reports = tuple(Report(kind, "r", number, value, AT) for number, value in enumerate(values))
    return TrialReported("abcde", 0, reports, 1)


def named(event: TrialReported, *, names_trial: bool = False) -> list[tuple[str, float, int]]:
    return [(metric.name, metric.value, metric.step) for metric in metrics_of(event, names_trial=names_trial)]


def test_numbers_are_called_by_what_they_are() -> None:
    assert named(reported(0.5, 2)) == [("intermediate", 0.5, 0), ("intermediate", 2.0, 1)]
    values = {"default": 0.5, "loss": 3, "note": "text", "classes": {"a": 1}}
    assert named(reported(values)) == [("intermediate", 0.5, 0), ("loss", 3.0, 0)]
    assert named(reported(values, kind=MetricKind.FINAL)) == [("final", 0.5, 0), ("final/loss", 3.0, 0)]
    assert named(reported("text", None, [1])) == []


def test_names_tell_the_trial_where_several_share_a_job() -> None:
    assert named(reported({"default": 1, "loss": 2}), names_trial=True) == [
        ("abcde/intermediate", 1.0, 0),
        ("abcde/loss", 2.0, 0),
    ]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("top 5/acc.-_", "top 5/acc.-_"),
        ("acc@5 (%)", "acc_5 ___"),
        ("Genauigkeit ü", "Genauigkeit _"),
        ("/a//b/../c/.", "a/b/c"),
        ("..", "_"),
        ("", "_"),
        ("x" * 300, "x" * 250),
        ("x" * 249 + "/y", "x" * 249),
    ],
)
def test_names_are_such_as_are_taken(key: str, name: str) -> None:
    assert named(reported({key: 1})) == [(name, 1.0, 0)]


def test_json_has_milliseconds_and_words_for_what_is_no_finite_number() -> None:
    found = [
        metric.as_json()
        for metric in metrics_of(reported(math.nan, math.inf, -math.inf, 10**400, 0.5), names_trial=False)
    ]
    assert [metric["value"] for metric in found] == ["NaN", "Infinity", "-Infinity", "Infinity", 0.5]
    assert found[-1] == {"key": "intermediate", "value": 0.5, "timestamp": 1_700_000_000_250, "step": 4}


class Service:
    """Takes metrics, or does not."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.requests: list[tuple[str, int]] = []
        self.steps: dict[str, list[int]] = {}
        self._arrived = asyncio.Event()

    async def log(self, job: str, metrics: Sequence[Metric]) -> None:
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        self.requests.append((job, len(metrics)))
        self.steps.setdefault(job, []).extend(metric.step for metric in metrics)
        self._arrived.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._arrived.clear()
            await asyncio.wait_for(self._arrived.wait(), 30)


def metrics(*steps: int) -> list[Metric]:
    return [Metric("intermediate", 0.5, step, AT) for step in steps]


async def test_what_comes_meanwhile_goes_in_one_request() -> None:
    service = Service()
    shown = StudioMetrics(service.log, pause_seconds=0.01)
    for step in range(5):
        shown.take("a", metrics(step))
    shown.take("b", metrics(7))
    await service.until(lambda: len(service.requests) == 2)
    shown.take("a", metrics(5))
    await service.until(lambda: len(service.requests) == 3)
    await shown.close()
    assert service.requests == [("a", 5), ("b", 1), ("a", 1)]
    assert service.steps == {"a": list(range(6)), "b": [7]}


async def test_the_end_waits_for_what_is_not_sent_yet() -> None:
    service = Service()
    shown = StudioMetrics(service.log, pause_seconds=1000.0)
    shown.take("a", metrics(*range(2 * MOST_AT_ONCE + 1)))
    await shown.close()
    assert service.requests == [("a", MOST_AT_ONCE), ("a", MOST_AT_ONCE), ("a", 1)]


async def test_a_service_that_fails_gets_all_when_it_works_again(caplog: pytest.LogCaptureFixture) -> None:
    no_role = AzureRefusedError(Refusal(403, "AuthorizationFailed", "no role"))
    service = Service(PlatformAwayError("busy", retry_after=0.01), no_role, PlatformAwayError("busy"))
    shown = StudioMetrics(service.log, pause_seconds=0.01)
    shown.take("a", metrics(0, 1))
    await service.until(lambda: bool(service.requests))
    shown.take("a", metrics(2))
    await service.until(lambda: len(service.requests) == 2)
    await shown.close()
    assert service.steps == {"a": [0, 1, 2]}
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "results are not shown in Azure ML's studio for now; the experiment has them: busy"
    ]


async def test_what_is_refused_is_left_out_and_keeps_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    refusals = [AzureRefusedError(Refusal(400, "ValidationError", "too many names")) for _ in range(2)]
    service = Service(*refusals)
    shown = StudioMetrics(service.log, pause_seconds=0.0)
    shown.take("a", metrics(*range(2 * MOST_AT_ONCE)))
    shown.take("b", metrics(3))
    await service.until(lambda: "b" in service.steps or "a" in service.steps)
    await shown.close()
    assert sum(count for _, count in service.requests) == MOST_AT_ONCE
    told = [record.getMessage() for record in caplog.records if "too many names" in record.getMessage()]
    assert len(told) == len(set(told))
    assert "results are not in Azure ML's studio" in caplog.text


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(studio, "MOST_WAITING", 10)
    service = Service()
    shown = StudioMetrics(service.log, pause_seconds=1000.0)
    for step in range(30):
        shown.take("a", metrics(step))
    await shown.close()
    assert service.steps == {"a": list(range(20, 30))}
    assert "20 results are not in Azure ML's studio" in caplog.text


async def test_a_service_that_hangs_keeps_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(job: str, metrics: Sequence[Metric]) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(studio, "CLOSE_SECONDS", 0.05)
    shown = StudioMetrics(hang, pause_seconds=0.0)
    shown.take("a", metrics(1))
    await asyncio.wait_for(shown.close(), 30)
