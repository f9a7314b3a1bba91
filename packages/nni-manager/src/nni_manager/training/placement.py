"""Which host and which GPUs a trial gets. Pure: no clock, no input or output.

How many GPUs a trial needs is a matter of the host (`HostRules.gpus_per_trial`), so trials that wait are all
alike: when one of them finds no room, none does.

1. Training services are preferred in the order of their list. Among the hosts of one, the least loaded is
   taken, and of its GPUs those that carry the fewest trials.
2. A GPU carries at most `trials_per_gpu` trials; a trial of n GPUs takes one share of n different ones.
3. A GPU on which others work and no trial of ours is left alone, unless `use_active_gpus` says otherwise.
4. A reservation holds from `place` or `restore` until `release`, whatever happens to the host.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from nni_manager.training.host import Gpu, HostReport, HostRules

Attempt = tuple[str, int]
"""A trial, and which run of it."""


@dataclass(frozen=True, slots=True)
class ReservedGpu:
    """A GPU that a trial has a share of: its number, and its name for CUDA_VISIBLE_DEVICES."""

    index: int
    identifier: str


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an attempt runs."""

    host: str
    gpus: tuple[ReservedGpu, ...] = ()


@dataclass(slots=True)
class HostState:
    """What is known of a host.

    Attributes:
        name: What it is called.
        rules: How it may be used.
        report: Its GPUs as last told, None when that is not known or too old to rely on.
        unreachable_since: Since when it is unreachable, in seconds since the epoch, None if it is not.
        unreachable_reason: Why it is unreachable.
        out: Why it is not used any more, "" when it is.
        trials: How many attempts have a place on it.
        shares: How many of them each GPU carries, by its identifier: instances of one have its number.
    """

    name: str
    rules: HostRules
    report: HostReport | None = None
    unreachable_since: float | None = None
    unreachable_reason: str = ""
    out: str = ""
    trials: int = 0
    shares: Counter[str] = field(default_factory=Counter)
    _usable: list[Gpu] = field(default_factory=list)
    _free: list[Gpu] | None = None

    @property
    def needed(self) -> int:
        """How many GPUs a trial needs here."""
        return self.rules.gpus_per_trial or 0

    @property
    def is_full(self) -> bool:
        """Whether as many trials run as may at a time."""
        limit = self.rules.trial_concurrency
        return limit is not None and self.trials >= limit

    def is_allowed(self, gpu: Gpu) -> bool:
        """Whether the configuration lets trials use a GPU."""
        return self.rules.gpu_indices is None or gpu.index in self.rules.gpu_indices

    def is_active(self, gpu: Gpu) -> bool:
        """Whether a GPU is left alone because others work on it."""
        return gpu.used_by_others > 0 and not self.rules.use_active_gpus and not self.shares[gpu.identifier]

    def take_report(self, report: HostReport | None) -> None:
        """Takes note of the GPUs, None when they are not known now."""
        gpus = () if report is None else tuple(map(self._judged, report.gpus))
        self.report = None if report is None else replace(report, gpus=gpus)
        self._usable = [gpu for gpu in gpus if not gpu.problem and self.is_allowed(gpu)]
        self._free = None

    def _judged(self, gpu: Gpu) -> Gpu:
        """Returns a GPU as trials here can use it: CUDA sees one instance of GPUs in MIG mode, not more."""
        if self.needed > 1 and gpu.identifier.startswith("MIG-") and not gpu.problem:
            return replace(gpu, problem="a MIG instance, of which a trial can have one only")
        return gpu

    def take_shares(self, gpus: Iterable[ReservedGpu], change: int) -> None:
        """Takes note that an attempt got a place with these GPUs (1) or gave it up (-1)."""
        self.trials += change
        for gpu in gpus:
            self.shares[gpu.identifier] += change
        self._free = None

    def usable_gpus(self) -> list[Gpu]:
        """Returns the GPUs that trials may have, now or when they become free."""
        return self._usable

    def free_gpus(self) -> list[Gpu]:
        """Returns the GPUs that have a share left, those with the fewest trials first."""
        if self._free is None:
            most = self.rules.trials_per_gpu
            free = [
                gpu for gpu in self._usable if self.shares[gpu.identifier] < most and not self.is_active(gpu)
            ]
            self._free = sorted(
                free, key=lambda gpu: (self.shares[gpu.identifier], gpu.used_by_others, gpu.index)
            )
        return self._free

    def has_room(self) -> bool:
        """Whether a trial can start now, as far as this host is concerned."""
        if self.out or self.unreachable_since is not None or self.is_full:
            return False
        return not self.needed or len(self.free_gpus()) >= self.needed

    def size(self) -> int | None:
        """Returns how many trials it can run at a time, None for any number."""
        limits = [] if self.rules.trial_concurrency is None else [self.rules.trial_concurrency]
        if self.needed:
            limits.append(len(self.usable_gpus()) * self.rules.trials_per_gpu // self.needed)
        return min(limits, default=None)


class Placements:
    """The hosts of an experiment, and which attempt has which place.

    Attributes:
        hosts: The hosts by name, in the order of the configuration.
        service_limits: How many trials each training service may run at a time, by its index; one that is not
            in it may run any number.
        version: Another number after every change.
    """

    def __init__(
        self, hosts: Iterable[tuple[str, HostRules]], service_limits: Mapping[int, int] | None = None
    ) -> None:
        """Begins with no place taken."""
        self.hosts = {name: HostState(name, rules) for name, rules in hosts}
        self.service_limits = dict(service_limits or {})
        self.version = 0
        self._places: dict[Attempt, Placement] = {}
        self._of_service: dict[int, list[HostState]] = {}
        for host in self.hosts.values():
            self._of_service.setdefault(host.rules.service, []).append(host)

    def place(self, attempt: Attempt) -> Placement | None:
        """Reserves a place for an attempt that has none; returns None when there is no room for it.

        Raises:
            ValueError: It has a place.
        """
        host = self._choose()
        if host is None:
            return None
        gpus = host.free_gpus()[: host.needed] if host.needed else []
        placement = Placement(host.name, tuple(ReservedGpu(gpu.index, gpu.identifier) for gpu in gpus))
        self.restore(attempt, placement)
        return placement

    def restore(self, attempt: Attempt, placement: Placement) -> None:
        """Reserves the place that an attempt was given before, whether there is room or not.

        Raises:
            ValueError: It has a place.
        """
        if attempt in self._places:
            raise ValueError(f"attempt {attempt[1]} of trial {attempt[0]} has a place")
        self._places[attempt] = placement
        self._count(placement, 1)

    def release(self, attempt: Attempt) -> None:
        """Gives up the place of an attempt, if it has one."""
        placement = self._places.pop(attempt, None)
        if placement is not None:
            self._count(placement, -1)

    def place_of(self, attempt: Attempt) -> Placement | None:
        """Returns the place of an attempt, None when it has none."""
        return self._places.get(attempt)

    @property
    def uses_gpus(self) -> bool:
        """Whether any place has a GPU."""
        return any(host.trials for host in self.hosts.values() if host.needed)

    def take_report(self, name: str, report: HostReport | None) -> None:
        """Takes note of the GPUs of a host; None says that they are not known now."""
        self.hosts[name].take_report(report)
        self.version += 1

    def take_reachable(self, name: str, unreachable_since: float | None, reason: str = "") -> None:
        """Takes note that a host is unreachable since a time, or reachable (None)."""
        host = self.hosts[name]
        host.unreachable_since, host.unreachable_reason = unreachable_since, reason
        self.version += 1

    def take_out(self, name: str, why: str) -> None:
        """Uses a host no more; the places on it hold until they are released."""
        self.hosts[name].out = why
        self.version += 1

    def service_trials(self, service: int) -> int:
        """Returns how many attempts have a place on the hosts of a training service."""
        return sum(host.trials for host in self._of_service.get(service, ()))

    def is_service_full(self, service: int) -> bool:
        """Whether a training service runs as many trials as it may at a time."""
        limit = self.service_limits.get(service)
        return limit is not None and self.service_trials(service) >= limit

    def _choose(self) -> HostState | None:
        for service in sorted(self._of_service):
            if self.is_service_full(service):
                continue
            candidates = [host for host in self._of_service[service] if host.has_room()]
            if candidates:
                return _least_loaded(candidates)
        return None

    def _count(self, placement: Placement, change: int) -> None:
        self.version += 1
        host = self.hosts.get(placement.host)
        if host is None:
            return
        host.take_shares(placement.gpus, change)


def _least_loaded(hosts: list[HostState]) -> HostState:
    sizes = {host.name: host.size() for host in hosts}

    def load(host: HostState) -> float:
        size = sizes[host.name]
        # A host with room has a size of at least 1. Hosts without a size are compared by their trials alone.
        return host.trials if size is None or None in sizes.values() else host.trials / size

    return min(hosts, key=load)
