"""`python -m nni_manager.server.platform_cleaning`: stops jobs that an experiment left on platforms.

Standard input has a question, standard output gets the answer, both JSON. The question: "experiment_id";
"folder", the experiment's folder, whose record says where it ran, or "" with "config", a configuration file,
which counts more; "same_id", whether jobs of every experiment with this id are meant, as without a folder;
"dry_run". The answer: "problem", or "services", for each training service with jobs its
"platform", its "name", its "jobs" that had not ended, each with "name", "state" and "reason", and its own
"problem", "" for none.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Mapping
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
from nni_manager.storage.interface import StorageError
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.calls import PlatformCalls, told
from nni_manager.training.jobs.experiment_mark import read_mark
from nni_manager.training.jobs.names import JobNames, has_id
from nni_manager.training.jobs.pace import Pace
from nni_manager.training.jobs.platform import JobPlatform, JobReport, PlatformAwayError

ENDING_SECONDS = 60.0
"""How long jobs may take to end that were stopped."""

logger = logging.getLogger(__name__)


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
    experiment_id, dry_run = str(question["experiment_id"]), bool(question["dry_run"])
    with tempfile.TemporaryDirectory() as no_folder:
        every_one = question["same_id"] or not question["folder"]
        folder = Path(no_folder if every_one else question["folder"])
        try:
            own = JobNames(experiment_id, read_mark(folder)).has
        except TrainingServiceError as error:
            return {"problem": str(error)}
        if every_one:
            own = partial(has_id, experiment_id)
        pace = pace or Pace()
        found = [
            await _clean(config, service, experiment_id, folder, own, dry_run, pace)
            for service in config.training_services()
        ]
    return {"services": [each for each in found if each is not None]}


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


async def _clean(
    config: ExperimentConfig,
    service: TrainingServiceConfig,
    experiment_id: str,
    folder: Path,
    own: Callable[[str], bool],
    dry_run: bool,
    pace: Pace,
) -> dict[str, Any] | None:
    answer: dict[str, Any] = {"platform": service.platform, "name": "", "jobs": [], "problem": ""}
    try:
        platform = job_platform(config, service, experiment_id, folder)
        if platform is None:
            return None
        answer["name"] = platform.name
        calls = PlatformCalls(platform.name, pace, lambda reachable, reason: None)
        try:
            await calls.until_answered(platform.open, tries=pace.start_tries)
            left = await _running(platform, calls, own, pace)
            answer["jobs"] = [
                {"name": each.name, "state": each.state.value, "reason": each.reason} for each in left
            ]
            if not dry_run:
                answer["problem"] = await _stop(platform, calls, own, left, pace)
        finally:
            await platform.close()
    except PlatformAwayError as error:
        answer["problem"] = f"{answer['name']} does not answer: {told(error)}"
    except TrainingServiceError as error:
        answer["problem"] = str(error)
    return answer


async def _stop(
    platform: JobPlatform,
    calls: PlatformCalls,
    own: Callable[[str], bool],
    jobs: list[JobReport],
    pace: Pace,
) -> str:
    """Stops jobs and sees that they end; returns what went wrong."""
    for job in jobs:

        async def stop(name: str = job.name) -> None:
            await platform.stop(name)

        await calls.until_answered(stop, tries=pace.start_tries)
    deadline = asyncio.get_running_loop().time() + ENDING_SECONDS
    left = jobs
    while left and asyncio.get_running_loop().time() < deadline:
        left = await _running(platform, calls, own, pace)
        if left:
            await asyncio.sleep(pace.list_seconds)
    names = ", ".join(job.name for job in left)
    return f"these are being stopped and have not ended: {names}" if left else ""


async def _running(
    platform: JobPlatform, calls: PlatformCalls, own: Callable[[str], bool], pace: Pace
) -> list[JobReport]:
    listed = await calls.until_answered(platform.list, tries=pace.start_tries)
    running = (each for each in listed.values() if own(each.name) and not each.state.is_over)
    return sorted(running, key=lambda each: each.name)


def main() -> int:
    """Reads a question and prints the answer."""
    logging.basicConfig(level=logging.ERROR)
    print(json.dumps(asyncio.run(clean(json.load(sys.stdin)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
