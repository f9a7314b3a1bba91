"""`python -m nni_manager.server.platform_cleaning`: stops and removes what an experiment left on platforms.

Standard input has a question, standard output gets the answer, both JSON. The question:

- "experiment_id";
- "folder", the experiment's folder, whose record says where it ran, or "";
- "config", a configuration file, which counts more than the record;
- "same_id", whether every experiment with this id is meant, as it is without a folder;
- "files", whether files in storages are removed once the jobs have ended;
- "dry_run", whether nothing is stopped and nothing removed.

The answer: "problem", or "services", for each training service with jobs its "platform", its "name", its
"jobs" that had not ended, each with "name", "state" and "reason", its "files" in storages by folder, each
with "name", "count" and "bytes", and its own "problem", "" for none.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nni_config import ExperimentConfig, InvalidConfigError
from nni_config.secret_fields import (
    SecretField,
    missing_secrets,
    secret_fields,
    take_secrets_from_environment,
)
from nni_config.training_service import TrainingServiceConfig

from nni_manager.server.job_places import job_platform
from nni_manager.shared_storage.interface import SharedStorageError
from nni_manager.storage.interface import StorageError
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.calls import PlatformCalls, told
from nni_manager.training.jobs.experiment_mark import read_mark
from nni_manager.training.jobs.leaving import remove_parts, stored_parts
from nni_manager.training.jobs.names import JobNames, has_id
from nni_manager.training.jobs.pace import Pace
from nni_manager.training.jobs.platform import JobPlatform, JobReport, PlatformAwayError

ENDING_SECONDS = 60.0
"""How long jobs may take to end that were stopped."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be done.

    Attributes:
        config: Says where the experiment ran.
        experiment_id: The experiment.
        folder: Its folder, an empty one where every experiment with its id is meant.
        is_own: Returns whether a job is meant, by its name.
        every_one: Whether every experiment with this id is meant.
        files: Whether files in storages are removed.
        dry_run: Whether nothing is done.
        pace: How often platforms are asked.
    """

    config: ExperimentConfig
    experiment_id: str
    folder: Path
    is_own: Callable[[str], bool]
    every_one: bool
    files: bool
    dry_run: bool
    pace: Pace


async def clean(question: Mapping[str, Any], pace: Pace | None = None) -> dict[str, Any]:
    """Answers a question.

    Args:
        question: What the module says.
        pace: How often platforms are asked.
    """
    try:
        config = _config(question)
    except (InvalidConfigError, StorageError, OSError, ValueError) as error:
        return {"problem": str(error)}
    with tempfile.TemporaryDirectory() as no_folder:
        try:
            order = _order(config, question, Path(no_folder), pace or Pace())
        except TrainingServiceError as error:
            return {"problem": str(error)}
        found = [await _clean(order, service) for service in config.training_services()]
    return {"services": [each for each in found if each is not None]}


def _order(config: ExperimentConfig, question: Mapping[str, Any], no_folder: Path, pace: Pace) -> _Order:
    experiment_id = str(question["experiment_id"])
    is_own: Callable[[str], bool] = partial(has_id, experiment_id)
    folder, every_one = no_folder, bool(question["same_id"]) or not question["folder"]
    if not every_one:
        folder = Path(question["folder"])
        is_own = JobNames(experiment_id, read_mark(folder)).has
    return _Order(
        config=config,
        experiment_id=experiment_id,
        folder=folder,
        is_own=is_own,
        every_one=every_one,
        files=bool(question["files"]),
        dry_run=bool(question["dry_run"]),
        pace=pace,
    )


def _config(question: Mapping[str, Any]) -> ExperimentConfig:
    if question.get("config"):
        return ExperimentConfig.load(question["config"]).canonical_copy()
    storage = open_sqlite_storage(Path(question["folder"]) / "db" / "experiment.sqlite", read_only=True)
    try:
        record = storage.experiment()
    finally:
        storage.close()
    if record is None:
        raise ValueError(f"{question['folder']} holds no experiment")
    config = ExperimentConfig(**record.config)
    take_secrets_from_environment(config)
    missing = [field for field in missing_secrets(config) if _is_of_platform(config, field)]
    if missing:
        named = ", ".join(f"{field.text} (variable {field.environment_variable})" for field in missing)
        raise ValueError(f"the record of an experiment has no secrets, and it needs {named}; or use --config")
    return config


def _is_of_platform(config: ExperimentConfig, field: SecretField) -> bool:
    """Returns whether a secret is for a training service that may have jobs."""
    return any(
        service.platform != "remote" and secret.owner is field.owner
        for service in config.training_services()
        for secret in secret_fields(service)
    )


async def _clean(order: _Order, service: TrainingServiceConfig) -> dict[str, Any] | None:
    answer: dict[str, Any] = {
        "platform": service.platform,
        "name": "",
        "jobs": [],
        "files": [],
        "problem": "",
    }
    try:
        platform = job_platform(order.config, service, order.experiment_id, order.folder)
        if platform is None:
            return None
        answer["name"] = platform.name
        calls = PlatformCalls(platform.name, order.pace, lambda reachable, reason: None)
        try:
            await calls.until_answered(platform.open, tries=order.pace.start_tries)
            left = await _running(order, platform, calls)
            answer["jobs"] = [
                {"name": each.name, "state": each.state.value, "reason": each.reason} for each in left
            ]
            if not order.dry_run:
                answer["problem"] = await _stop(order, platform, calls, left)
            parts = await asyncio.to_thread(stored_parts, platform.stored, with_marks=order.every_one)
            answer["files"] = [asdict(part) for part in parts]
            goes = order.files and not order.dry_run and not answer["problem"]
            # The folders that trying the storage made go in any case.
            await asyncio.to_thread(remove_parts, platform.stored, parts if goes else [])
        finally:
            await platform.close()
    except PlatformAwayError as error:
        answer["problem"] = f"{answer['name']} does not answer: {told(error)}"
    except (TrainingServiceError, SharedStorageError) as error:
        answer["problem"] = str(error)
    return answer


async def _stop(order: _Order, platform: JobPlatform, calls: PlatformCalls, jobs: list[JobReport]) -> str:
    """Stops jobs and sees that they end; returns what went wrong."""
    for job in jobs:

        async def stop(name: str = job.name) -> None:
            await platform.stop(name)

        await calls.until_answered(stop, tries=order.pace.start_tries)
    deadline = asyncio.get_running_loop().time() + ENDING_SECONDS
    left = jobs
    while left and asyncio.get_running_loop().time() < deadline:
        left = await _running(order, platform, calls)
        if left:
            await asyncio.sleep(order.pace.list_seconds)
    names = ", ".join(job.name for job in left)
    return f"these are being stopped and have not ended: {names}" if left else ""


async def _running(order: _Order, platform: JobPlatform, calls: PlatformCalls) -> list[JobReport]:
    listed = await calls.until_answered(platform.list, tries=order.pace.start_tries)
    running = (each for each in listed.values() if order.is_own(each.name) and not each.state.is_over)
    return sorted(running, key=lambda each: each.name)


def main() -> int:
    """Reads a question and prints the answer."""
    logging.basicConfig(level=logging.ERROR)
    print(json.dumps(asyncio.run(clean(json.load(sys.stdin)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
