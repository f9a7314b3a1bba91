"""What a host promises: one machine among several on which trials of an experiment run.

A host keeps the promises of training/interface.py for the trials that are given to it, and two more:

1. It tells HostChanged when it becomes unreachable and when it is reachable again. Its trials go on
   meanwhile.
2. TrainingServiceFailed from it says that this host cannot go on. It tells nothing after that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from nni_manager.training.interface import TrainingEvent, TrainingService, TrainingServiceError


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU of a host.

    Attributes:
        index: Its number, as the driver numbers it.
        identifier: What goes into CUDA_VISIBLE_DEVICES for it: the index, the UUID, or its entry of an
            inherited CUDA_VISIBLE_DEVICES.
        used_by_others: The number of processes on it that are not this experiment's.
        problem: Why it cannot be used at all ("MIG mode without instances", "not in CUDA_VISIBLE_DEVICES"),
            "" if it can.
        name: The model, "" if that is not known.
        memory_total: Its memory in bytes, None if that is not known.
        memory_used: How much of that is in use, in bytes, None if that is not known.
    """

    index: int
    identifier: str
    used_by_others: int = 0
    problem: str = ""
    name: str = ""
    memory_total: int | None = None
    memory_used: int | None = None


@dataclass(frozen=True, slots=True)
class HostReport:
    """What a host has.

    Attributes:
        gpus: Its GPUs.
        gpu_problem: Why GPUs could not be listed, "" if they could.
        at: When this was so, in seconds since the epoch.
    """

    gpus: tuple[Gpu, ...]
    gpu_problem: str
    at: float


@dataclass(frozen=True, slots=True)
class HostChanged:
    """A host became unreachable, or is reachable again.

    Attributes:
        host_name: The host.
        reachable: Whether it is reachable now.
        at: When that changed, in seconds since the epoch.
        reason: Why it is unreachable, "" when it is reachable.
    """

    host_name: str
    reachable: bool
    at: float
    reason: str = ""


class HostAwayError(TrainingServiceError):
    """A host cannot be reached now, and may be later.

    Attributes:
        start_later: Waits for the host from now on, which says by HostChanged when it can be reached. Until
            then it takes orders, and its trials count as those of a machine that is away.
        is_awaited: Whether an experiment with trials on it begins without it even where no other host is
            left, or none may be missing.
    """

    def __init__(self, message: str, start_later: Callable[[], None], *, is_awaited: bool = False) -> None:
        """Says why."""
        super().__init__(message)
        self.start_later = start_later
        self.is_awaited = is_awaited


THIS_MACHINE = "this machine"
"""The name of the host that needs none."""

HostEvent = TrainingEvent | HostChanged
HostEmit = Callable[[HostEvent], None]


@dataclass(frozen=True, slots=True)
class HostRules:
    """What a configuration says about the use of a host.

    Attributes:
        gpus_per_trial: How many GPUs a trial uses: None leaves CUDA_VISIBLE_DEVICES alone, 0 empties it.
        trials_per_gpu: How many of our trials one GPU may carry.
        use_active_gpus: Whether GPUs are used on which processes of others run.
        gpu_indices: The GPUs that may be used, None for all.
        trial_concurrency: How many trials may run on the host at a time, None for any number.
        service: The index of the host's training service in the list of them: an earlier one is preferred.
    """

    gpus_per_trial: int | None = None
    trials_per_gpu: int = 1
    use_active_gpus: bool = False
    gpu_indices: tuple[int, ...] | None = None
    trial_concurrency: int | None = None
    service: int = 0


class Host(TrainingService, Protocol):
    """A machine on which trials run. It is given `emit: HostEmit` when it is made."""

    name: str
    """What it is called: "this machine", "gpu-a", "gpu-a:2222". Unique in the experiment."""

    async def report(self) -> HostReport:
        """Lists the GPUs as they are now; takes at most about 20 seconds.

        Raises:
            TrainingServiceError: It cannot be asked; the text says why.
        """
