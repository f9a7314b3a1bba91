"""An experiment on machines that do what a test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from nni_manager.engine.events import TrialWaits
from nni_manager.testing.fake_hosts import FakeMachine, gpus
from nni_manager.training.host import HostReport, HostRules
from nni_manager.training.interface import TrainingEvent, TrialRun
from nni_manager.training.placing import PlacingService, service, waiting
from nni_manager.training.placing.record import FILE_NAME

E = TypeVar("E")

PATIENCE = 60.0
"""Seconds after which a test that waits for something has failed."""

ONE_GPU = HostRules(gpus_per_trial=1)


class Scene:
    """An experiment on machines, with one manager after another."""

    def __init__(self, folder: Path) -> None:
        """Begins without machines."""
        self.folder = folder
        self.machines: dict[str, FakeMachine] = {}
        self.rules: list[HostRules] = []
        self.settings: dict[str, Any] = {"durable": False}
        self.events: list[TrainingEvent] = []
        self.warnings: list[str] = []
        self.arrived = asyncio.Event()
        self.services: list[PlacingService] = []

    def add(self, name: str, rules: HostRules, report: HostReport | Exception | None = None) -> FakeMachine:
        """Adds a machine, without GPUs unless it has a report."""
        machine = FakeMachine(name, gpus() if report is None else report, happened=self.arrived.set)
        self.machines[name] = machine
        self.rules.append(rules)
        return machine

    async def start(self, **settings: Any) -> PlacingService:
        """Starts a manager; one that was there before has crashed, so nothing more is heard of it."""
        self.settings.update(settings)
        self.events = []
        makers = [machine.make for machine in self.machines.values()]
        made = PlacingService(
            hosts=list(zip(makers, self.rules, strict=True)),
            experiment_directory=self.folder,
            emit=self._emit,
            warn=self.warnings.append,
            **self.settings,
        )
        self.services.append(made)
        await made.start()
        return made

    def submit(self, *names: str, attempt: int = 0) -> None:
        """Submits trials to the manager that was started last."""
        for name in names:
            self.services[-1].submit(TrialRun(name, attempt, 0, 0, None, {"A": "b"}))

    def of(self, kind: type[E], trial_id: str | None = None) -> list[E]:
        """Returns the events of a type, of one trial or of all."""
        return [
            event
            for event in self.events
            if isinstance(event, kind) and trial_id in (None, getattr(event, "trial_id", None))
        ]

    def reason(self, trial_id: str) -> str:
        """Returns why a trial waits, as told last."""
        return self.of(TrialWaits, trial_id)[-1].reason

    async def until(self, condition: Callable[[], object]) -> None:
        """Waits until something happens that makes a condition true."""
        await asyncio.wait_for(self._until(condition), PATIENCE)

    def record(self) -> list[dict[str, Any]]:
        """Returns what is on record of places."""
        return [json.loads(line) for line in (self.folder / FILE_NAME).read_text().splitlines()]

    async def _until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self.arrived.clear()
            await self.arrived.wait()

    def _emit(self, event: TrainingEvent) -> None:
        self.events.append(event)
        self.arrived.set()


@asynccontextmanager
async def placing_scene(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """Makes a scene in which nothing is put off, and closes its managers in the end."""
    monkeypatch.setattr(waiting, "TELL_SECONDS", 0.0)
    monkeypatch.setattr(service, "NOTE_AGAIN_SECONDS", 0.0)
    scene = Scene(folder)
    yield scene
    for manager in scene.services:
        await manager.close()


async def turn() -> None:
    """Lets what is due happen: timers of no delay, and what they cause."""
    for _ in range(5):
        await asyncio.sleep(0)
