"""Why trials wait, and why they could never start, in words. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from nni_manager.training.host import Gpu
from nni_manager.training.placement import HostState, Placements

_MOST_HOSTS = 10


def waiting_reason(placements: Placements, now: float) -> str:
    """Returns why a trial that waits cannot start, with the reason of every host.

    "needs 2 GPUs; gpu-a has 1 free of 4 (2 used by others, 1 by trials), gpu-b unreachable since 14:02"

    Args:
        placements: Where nothing has room.
        now: The time, in seconds since the epoch.
    """
    needed = common_need(placements)
    parts: list[str] = []
    full_services: set[int] = set()
    for host in placements.hosts.values():
        service = host.rules.service
        if not _is_reachable(host) or not placements.is_service_full(service):
            parts.append(_why_not_on(host, now, named=not needed))
        elif service not in full_services:
            full_services.add(service)
            parts.append(_full_service(placements, service))
    text = _listed(parts)
    return f"needs {_gpus(needed)}; {text}" if needed else text


def never_reason(placements: Placements) -> str:
    """Returns why no trial can ever start, host by host; "" when one may, now or later."""
    hosts = list(placements.hosts.values())
    needed = common_need(placements)
    reasons = [why_never_on(host, named=not needed) for host in hosts]
    if "" in reasons:
        return ""
    if all(host.out for host in hosts):
        need = "no machine is left that could run trials"
    else:
        need = (
            f"a trial needs {_gpus(needed)}" if needed else "no machine has the GPUs that a trial needs there"
        )
    return f"{need}; {_listed(reasons)}"


def bad_indices(host: HostState) -> str:
    """Returns which of a host's gpu_indices are not GPUs that it has, "" when all are or no GPU is used."""
    if not host.needed or host.report is None or not host.report.gpus or host.rules.gpu_indices is None:
        return ""
    found = sorted(gpu.index for gpu in host.report.gpus)
    bad = [index for index in host.rules.gpu_indices if index not in found]
    if not bad:
        return ""
    verb = "is" if len(bad) == 1 else "are"
    return (
        f"gpu_indices: {', '.join(map(str, bad))} {verb} not among the GPUs found on {host.name}: "
        f"{_numbers(found)}"
    )


def common_need(placements: Placements) -> int:
    """Returns how many GPUs a trial needs on every host, 0 when that differs or it needs none."""
    needs = {host.needed for host in placements.hosts.values()}
    return needs.pop() if len(needs) == 1 else 0


def _is_reachable(host: HostState) -> bool:
    return not host.out and host.unreachable_since is None


def _why_not_on(host: HostState, now: float, *, named: bool) -> str:
    """Returns why a host has no room; `named` says "GPUs" and how many are needed, as the list does not."""
    if host.out:
        return f"{host.name} not used ({host.out})"
    if host.unreachable_since is not None:
        reason = f" ({host.unreachable_reason})" if host.unreachable_reason else ""
        return f"{host.name} unreachable since {_time(host.unreachable_since, now)}{reason}"
    if host.is_full:
        return f"{host.name} has {_trials(host.trials)}, its limit (trial_concurrency)"
    if host.report is None:
        return f"{host.name} is being asked for its GPUs"
    if no_gpus := _no_gpus(host):
        return no_gpus
    total, free = len(host.report.gpus), len(host.free_gpus())
    details = _details(host)
    unit = f" {_gpu_word(total)}" if named else ""
    need = f" of {host.needed} needed" if named else ""
    return f"{host.name} has {free} free{need} of {total}{unit}" + (f" ({details})" if details else "")


def why_never_on(host: HostState, *, named: bool = False) -> str:
    """Returns why a host can never run a trial, "" when it may be able to; `named` says how many it needs."""
    if host.out:
        return f"{host.name} not used ({host.out})"
    if not host.needed or host.report is None:
        return ""
    if no_gpus := _no_gpus(host):
        return no_gpus
    usable = len(host.usable_gpus())
    if usable >= host.needed:
        return ""
    total = len(host.report.gpus)
    need = f" of {host.needed} needed" if named else ""
    if usable == total:
        return f"{host.name} has {total}{need}"
    return f"{host.name} has {total}{need}, of which {usable} can be used ({', '.join(_exclusions(host))})"


def _no_gpus(host: HostState) -> str:
    if host.report is None or host.report.gpus:
        return ""
    if host.report.gpu_problem:
        return f"{host.name}: its GPUs cannot be listed ({host.report.gpu_problem})"
    return f"{host.name} has no GPU"


def _details(host: HostState) -> str:
    """Returns what keeps those GPUs of a host that are not free; with the free ones that is all of them."""
    most = host.rules.trials_per_gpu
    usable = host.usable_gpus()
    active = sum(1 for gpu in usable if host.is_active(gpu))
    taken = sum(1 for gpu in usable if host.shares[gpu.identifier] >= most)
    users = [f"{active} used by others"] if active else []
    if taken:
        verb = "" if active else "used "
        users.append(f"{taken} {verb}by " + ("trials" if most == 1 else f"{most} trials each"))
    return ", ".join([*users, *_exclusions(host)])


def _exclusions(host: HostState) -> list[str]:
    gpus: Sequence[Gpu] = () if host.report is None else host.report.gpus
    excluded = sum(1 for gpu in gpus if not host.is_allowed(gpu))
    problems = Counter(gpu.problem for gpu in gpus if gpu.problem and host.is_allowed(gpu))
    parts = [f"{excluded} not in gpu_indices"] if excluded else []
    return parts + [f"{count} unusable: {problem}" for problem, count in problems.items()]


def _full_service(placements: Placements, service: int) -> str:
    names = [host.name for host in placements.hosts.values() if host.rules.service == service]
    count = _trials(placements.service_trials(service))
    if len(names) == 1:
        return f"{names[0]} has {count}, its limit (trial_concurrency)"
    return f"{_listed(names, ' and ')} have {count} together, their limit (trial_concurrency)"


def _listed(parts: Sequence[str], last: str = ", ") -> str:
    if len(parts) > _MOST_HOSTS:
        parts = [*parts[:_MOST_HOSTS], f"{len(parts) - _MOST_HOSTS} more machines"]
    head = ", ".join(parts[:-1])
    return f"{head}{last}{parts[-1]}" if head else parts[-1]


def _time(seconds: float, now: float) -> str:
    then, today = datetime.fromtimestamp(seconds), datetime.fromtimestamp(now)
    return f"{then:%H:%M}" if then.date() == today.date() else f"{then:%Y-%m-%d %H:%M}"


def _gpus(count: int) -> str:
    return f"{count} {_gpu_word(count)}"


def _gpu_word(count: int) -> str:
    return "GPU" if count == 1 else "GPUs"


def _trials(count: int) -> str:
    return f"{count} trial" if count == 1 else f"{count} trials"


def _numbers(numbers: Sequence[int]) -> str:
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))
