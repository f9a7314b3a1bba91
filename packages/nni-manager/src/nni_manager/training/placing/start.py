"""Starts hosts, and says what is wrong with any of them in one answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence

from nni_manager.training.host import Host, HostAwayError
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.placement import HostState, Placements
from nni_manager.training.placing.reports import ReportKeeper
from nni_manager.training.waiting_reasons import bad_indices, never_reason, why_never_on

logger = logging.getLogger(__name__)


async def start_hosts(
    hosts: Sequence[Host],
    placements: Placements,
    reports: ReportKeeper,
    optional_services: Collection[int],
    warn: Callable[[str], None],
) -> None:
    """Starts all hosts at the same time and asks them for their GPUs, where these matter.

    Args:
        hosts: The hosts.
        placements: Gets the reports, and which hosts are out.
        reports: Asks for the GPUs.
        optional_services: The training services that may go on without some of their hosts.
        warn: Gets what a person is to know although the start went well.

    Raises:
        TrainingServiceError: Hosts cannot be used that have to be, or no host can ever run a trial. The
            text has the reasons of all of them.
    """
    problems = await asyncio.gather(*(_start(host, reports) for host in hosts))
    states = placements.hosts
    failed = {
        host.name: str(problem)
        for host, problem in zip(hosts, problems, strict=True)
        if problem and not _is_awaited(problem, states[host.name])
    }
    needed = [name for name in failed if states[name].rules.service not in optional_services]
    mistakes = [text for state in states.values() for text in _mistakes(state)]
    if needed or mistakes or len(failed) == len(hosts):
        raise TrainingServiceError(_all_problems(failed, mistakes, len(hosts), bool(needed)))
    for host, error in zip(hosts, problems, strict=True):
        if error is None:
            continue
        told = _named(host.name, str(error))
        if isinstance(error, HostAwayError) and states[host.name].trials:
            error.start_later()
            meanwhile = (
                "and others run without it meanwhile" if None in problems else "and none starts before"
            )
            warn(f"{told}; the trials that ran there are looked for, {meanwhile}")
        else:
            placements.take_out(host.name, str(error))
            warn(f"{told}; the trials run without it")
    if never := never_reason(placements):
        raise TrainingServiceError(f"trial_gpu_number: {never}")
    for state in states.values():
        if not state.out and (reason := why_never_on(state)):
            warn(f"{reason}; no trial is placed there")


async def _start(host: Host, reports: ReportKeeper) -> TrainingServiceError | None:
    """Returns why a host cannot be used, None if it can."""
    try:
        await host.start()
    except TrainingServiceError as error:
        return error if str(error) else TrainingServiceError("it cannot be started")
    except Exception as error:
        logger.exception("%s cannot be started", host.name)
        return TrainingServiceError(f"it cannot be started: {error!r}")
    await reports.ask(host.name)
    return None


def _is_awaited(error: TrainingServiceError, state: HostState) -> bool:
    """Returns whether a host that could not be started is no reason to end."""
    return isinstance(error, HostAwayError) and error.is_awaited and state.trials > 0


def _mistakes(state: HostState) -> list[str]:
    shares = state.rules.trials_per_gpu
    found = [bad_indices(state)]
    if shares > 1 and not state.needed:
        found.append(
            f"max_trial_number_per_gpu: {shares} on {state.name} has no meaning since its trials use no GPU; "
            "set trial_gpu_number, or leave it at 1"
        )
    return [text for text in found if text]


def _all_problems(failed: dict[str, str], mistakes: Sequence[str], count: int, needed: bool) -> str:
    if count == 1 and failed:
        return "\n".join([*failed.values(), *mistakes])
    texts = [_named(name, problem) for name, problem in failed.items()] + list(mistakes)
    if len(texts) == 1 and not failed:
        return texts[0]
    head = f"{len(failed)} of {count} machines cannot be used" if failed else "the machines cannot be used so"
    lines = "\n".join(f"- {text}" for text in texts)
    hint = "\nallow_partial: true goes on with the others" if needed and len(failed) < count else ""
    return f"{head}:\n{lines}{hint}"


def _named(name: str, problem: str) -> str:
    return problem if problem.startswith(name) else f"{name}: {problem}"
