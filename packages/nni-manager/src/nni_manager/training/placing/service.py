"""Runs trials on several hosts, each where there is room for it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from nni_manager.engine.events import TrainingServiceFailed, TrialEnded, TrialReported, TrialStarted
from nni_manager.training.courier_connection import cancelled
from nni_manager.training.held_up import tell_when_held_up
from nni_manager.training.host import THIS_MACHINE, Host, HostChanged, HostEmit, HostEvent, HostRules
from nni_manager.training.interface import Emit, TrainingEvent, TrainingServiceError, TrialRun
from nni_manager.training.placement import Attempt, Placement, Placements
from nni_manager.training.placing.launches import Launches
from nni_manager.training.placing.leftovers import Leftovers
from nni_manager.training.placing.record import FILE_NAME, PlacementRecord
from nni_manager.training.placing.reports import ReportKeeper
from nni_manager.training.placing.start import start_hosts
from nni_manager.training.placing.waiting import WaitingTrials
from nni_manager.training.waiting_reasons import never_reason, why_never_on

logger = logging.getLogger(__name__)

MakeHost = Callable[[HostEmit], Host]

NOTE_AGAIN_SECONDS = 2.0
"""After how long writing down places is tried again, when it failed."""

CLAIM_SECONDS = 30.0
"""How long after the first call attempts of an earlier manager may be asked for; others are stopped then."""


class PlacingService:
    """Keeps the promises of training/interface.py with several hosts that keep those of training/host.py."""

    def __init__(
        self,
        *,
        hosts: Sequence[tuple[MakeHost, HostRules]],
        experiment_directory: Path,
        emit: Emit,
        service_limits: Mapping[int, int] | None = None,
        optional_services: Collection[int] = (),
        durable: bool = True,
        report_seconds: float = 10.0,
        warn: Callable[[str], None] = logger.warning,
    ) -> None:
        """Makes a service that has done nothing yet.

        Args:
            hosts: What makes each host, and its rules, in the order of the configuration.
            experiment_directory: The experiment's folder, which exists.
            emit: Gets the events.
            service_limits: How many trials each training service may run at a time, by its index; any number
                where that is not said.
            optional_services: The training services that may go on without some of their hosts.
            durable: Whether places have to survive a power failure of this machine; only where all trials run
                on this machine they need not.
            report_seconds: After how long the GPUs of a host are listed again.
            warn: Gets what a person is to know although nothing failed.

        Raises:
            TrainingServiceError: Two hosts have the same name.
        """
        self._hosts: dict[str, Host] = {}
        rules: dict[str, HostRules] = {}
        for number, (make, host_rules) in enumerate(hosts):
            host = make(partial(self._take, number))
            if host.name in self._hosts:
                raise TrainingServiceError(
                    f"two machines are called {host.name}; each needs a name of its own"
                )
            self._hosts[host.name] = host
            rules[host.name] = host_rules
        self._names = list(self._hosts)
        self._to_close = list(self._hosts.values())
        self._trials_directory = experiment_directory / "trials"
        self._record_path = experiment_directory / FILE_NAME
        self._optional_services = optional_services
        self._warn = warn
        self._emit = emit
        self._placements = Placements(rules.items(), service_limits)
        self._record = PlacementRecord(experiment_directory)
        self._waiting = WaitingTrials(self._placements, emit)
        uses_gpus = any(each.gpus_per_trial for each in rules.values())
        # A trial that is given to the only host again is found there, so that its place need not be known.
        durable = durable and (uses_gpus or len(rules) > 1)
        self._launches = Launches(self._record, durable, self._launch, self._put_back, self._settle)
        with_gpus = [host for host in self._hosts.values() if rules[host.name].gpus_per_trial]
        self._reports = ReportKeeper(with_gpus, self._placements, report_seconds, self._settle)
        self._leftovers = Leftovers({})
        self._routes: dict[Attempt, str] = {}
        self._unwanted: dict[Attempt, str] = {}
        self._timers: list[asyncio.TimerHandle] = []
        self._useful: set[str] = set()
        self._full_version = -1
        self._is_claimed = False
        self._release_is_due = False
        self._is_over = False
        self._heartbeat: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts all hosts, and checks that they can run trials.

        Raises:
            TrainingServiceError: They cannot, with the reasons of each. All are closed again then.
        """
        try:
            try:
                places = await asyncio.to_thread(self._record.open)
            except OSError as error:
                raise TrainingServiceError(f"where trials run cannot be noted: {error}") from error
            for attempt, placement in places.items():
                self._placements.restore(attempt, placement)
            self._leftovers = Leftovers(places)
            await start_hosts(
                list(self._hosts.values()),
                self._placements,
                self._reports,
                self._optional_services,
                self._warn,
            )
        except BaseException:
            await self.close()
            raise
        # A driver that hangs later makes no host useless for good.
        self._useful = {name for name, state in self._placements.hosts.items() if not why_never_on(state)}
        self._reports.begin()
        self._heartbeat = asyncio.create_task(tell_when_held_up(), name="heartbeat")

    def submit(self, run: TrialRun) -> None:
        """Starts a trial as soon as there is room for it."""
        attempt = (run.trial_id, run.attempt)
        if attempt in self._routes or attempt in self._waiting or attempt in self._launches:
            return
        self._claim(attempt)
        self._release_is_due = False
        name = self._record.host_of(*attempt)
        if name is None or name not in self._hosts:
            self._placements.release(attempt)
            self._waiting.add(run)
            self._settle()
            self._waiting.tell(attempt)
        elif placement := self._placements.place_of(attempt):
            self._launch(run, placement)
        else:  # its end is on record, so it is not to run again
            self._adopt(attempt, name, 0)

    def adopt(self, trial_id: str, attempt: int, acknowledged_offset: int) -> None:
        """Watches a trial submitted before a restart; one that never started ends with a problem."""
        key = (trial_id, attempt)
        if key in self._routes or key in self._waiting or key in self._launches:
            return
        self._claim(key)
        name = self._record.host_of(*key)
        if name is None and len(self._hosts) == 1:
            (name,) = self._hosts
        if name is None:
            self._end(key, "it never started: it was given to no machine")
        elif name not in self._hosts:
            self._end(key, f"it ran on {name}, which is not among the machines any more")
        else:
            self._adopt(key, name, acknowledged_offset)

    def cancel(self, trial_id: str, attempt: int) -> None:
        """Stops a trial."""
        key = (trial_id, attempt)
        if self._waiting.remove(key) or self._launches.remove(key):
            self._end(key, "it was stopped before it started")
            self._settle()
        elif key in self._routes:
            self._hosts[self._routes[key]].cancel(trial_id, attempt)

    def acknowledge(self, trial_id: str, attempt: int, offset: int) -> None:
        """Says that a trial's results are stored up to this position of its report file."""
        name = self._routes.get((trial_id, attempt))
        if name is not None:
            self._hosts[name].acknowledge(trial_id, attempt, offset)

    def release(self) -> None:
        """Says that no trial is coming: processes that wait for one may end, once no trial waits here."""
        self._release_is_due = True
        self._settle()

    def output_directory(self, trial_id: str) -> str:
        """Returns the folder of a trial's output, as the machine it runs on names it."""
        host = self._hosts.get(self._record.host_of(trial_id) or "")
        return str(self._trials_directory / trial_id) if host is None else host.output_directory(trial_id)

    async def close(self) -> None:
        """Lets the hosts go. Running trials go on; what waits is not launched."""
        self._is_over = True
        self._waiting.close()
        for timer in self._timers:
            timer.cancel()
        if self._heartbeat is not None:
            await cancelled(self._heartbeat)
        await self._reports.close()
        await self._launches.close()
        hosts, self._to_close = self._to_close, []
        results = await asyncio.gather(*(host.close() for host in hosts), return_exceptions=True)
        for host, result in zip(hosts, results, strict=True):
            if isinstance(result, BaseException):
                logger.error("%s did not close", host.name, exc_info=result)
        self._record.close()

    def _take(self, number: int, event: HostEvent) -> None:
        """Takes what a host says."""
        if self._is_over:
            return
        name = self._names[number]
        if isinstance(event, HostChanged):
            self._host_changed(name, event)
        elif isinstance(event, TrainingServiceFailed):
            self._host_failed(name, event)
        else:
            self._trial_event(name, event)

    def _trial_event(self, name: str, event: TrainingEvent) -> None:
        assert not isinstance(event, TrainingServiceFailed)
        attempt = (event.trial_id, event.attempt)
        if self._unwanted.get(attempt) == name:
            if isinstance(event, TrialReported):
                self._hosts[name].acknowledge(*attempt, event.end_offset or 0)
            elif isinstance(event, TrialEnded):
                del self._unwanted[attempt]
                self._give_up_place(attempt)
                self._settle()
        elif self._routes.get(attempt) == name:
            if isinstance(event, TrialEnded):
                del self._routes[attempt]
                self._give_up_place(attempt)
                self._emit(event)
                self._settle()
            elif isinstance(event, TrialStarted):
                self._emit(self._with_place(event, name))
            else:
                self._emit(event)

    def _with_place(self, event: TrialStarted, name: str) -> TrialStarted:
        placement = self._placements.place_of((event.trial_id, event.attempt)) or Placement(name)
        gpus = tuple(gpu.identifier for gpu in placement.gpus)
        return replace(event, host="" if self._names == [THIS_MACHINE] else name, gpus=gpus)

    def _host_changed(self, name: str, event: HostChanged) -> None:
        since = self._placements.hosts[name].unreachable_since
        if event.reachable:
            logger.info("%s is reachable", name)
            self._placements.take_reachable(name, None)
            self._reports.ask_now(name)
        else:
            logger.warning("%s is unreachable, its trials go on: %s", name, event.reason)
            self._placements.take_reachable(name, event.at if since is None else since, event.reason)
        self._settle()

    def _host_failed(self, name: str, event: TrainingServiceFailed) -> None:
        if self._placements.hosts[name].out:
            return
        self._placements.take_out(name, event.message)
        states = self._placements.hosts.values()
        if not any(
            not state.out and (state.name in self._useful or not why_never_on(state)) for state in states
        ):
            # Nothing can run any more. What ran is left as it is, for a resume to find it.
            self._is_over = True
            self._waiting.close()
            message = event.message if len(self._hosts) == 1 else never_reason(self._placements)
            self._emit(TrainingServiceFailed(message, event.at))
            return
        self._warn(f"{name} cannot be used any more, trials go on elsewhere: {event.message}")
        not_launched = self._launches.remove_on(name)
        for run in not_launched:
            self._placements.release((run.trial_id, run.attempt))
        for attempt in [attempt for attempt, host in self._routes.items() if host == name]:
            del self._routes[attempt]
            # No end is noted: it may still run, and a later manager is to find it when the host is back.
            self._placements.release(attempt)
            self._emit(TrialEnded(*attempt, time.time(), problem=f"{name} cannot be used: {event.message}"))
        self._wait_again(not_launched)

    def _settle(self) -> None:
        """Starts what there is room for, and brings everything else in line with that."""
        if self._is_over:
            return
        if self._waiting:
            self._reports.want(True)  # before anything is placed by what may be too old
        while self._waiting and not self._waiting.obstacle and self._placements.version != self._full_version:
            placement = self._placements.place(self._waiting.first())
            if placement is None:
                self._full_version = self._placements.version
                break
            self._launches.add(self._waiting.take_first(), placement)
        is_idle = not self._waiting and not self._launches
        self._reports.want(not is_idle or self._placements.uses_gpus)
        if is_idle and self._release_is_due:
            self._release_is_due = False
            for name, host in self._hosts.items():
                if not self._placements.hosts[name].out:
                    host.release()
        self._waiting.changed()

    def _launch(self, run: TrialRun, placement: Placement) -> None:
        """Has a host start a trial whose place is on record."""
        attempt = (run.trial_id, run.attempt)
        if not self._route(attempt, placement.host):
            return
        environment = run.environment
        if self._placements.hosts[placement.host].rules.gpus_per_trial is not None:
            visible = ",".join(gpu.identifier for gpu in placement.gpus)
            # Numbers are the driver's; CUDA's own begin with the fastest GPU where models differ.
            environment = {**environment, "CUDA_VISIBLE_DEVICES": visible, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        try:
            self._hosts[placement.host].submit(replace(run, environment=environment))
        except Exception as error:
            logger.exception("%s does not take trial %s", placement.host, run.trial_id)
            del self._routes[attempt]
            self._end(attempt, f"{placement.host} does not take it: {error!r}")

    def _adopt(self, attempt: Attempt, name: str, acknowledged_offset: int) -> None:
        if self._route(attempt, name):
            self._hosts[name].adopt(*attempt, acknowledged_offset)

    def _route(self, attempt: Attempt, name: str) -> bool:
        """Takes note of where an attempt is; returns whether it can be reached there, or tells its end."""
        if out := self._placements.hosts[name].out:
            self._placements.release(attempt)
            self._emit(TrialEnded(*attempt, time.time(), problem=f"{name}, where it ran, is not used: {out}"))
            return False
        self._unwanted.pop(attempt, None)
        self._routes[attempt] = name
        return True

    def _end(self, attempt: Attempt, problem: str) -> None:
        """Ends an attempt that does not run."""
        self._give_up_place(attempt)
        self._emit(TrialEnded(*attempt, time.time(), problem=problem))

    def _give_up_place(self, attempt: Attempt) -> None:
        if self._placements.place_of(attempt) is None:
            return
        self._placements.release(attempt)
        try:
            self._record.add_ends([attempt])
        except OSError as error:
            logger.error("the end of trial %s is not noted in %s: %s", attempt[0], self._record_path, error)

    def _put_back(self, runs: list[TrialRun], error: OSError) -> None:
        """Lets trials wait again whose places could not be noted."""
        if self._is_over:
            return
        self._waiting.obstacle = f"{self._record_path} cannot be written: {error.strerror or error}"
        logger.error("no trial can be started: %s", self._waiting.obstacle)
        for run in runs:
            self._placements.release((run.trial_id, run.attempt))
        self._later(NOTE_AGAIN_SECONDS, self._note_again)
        self._wait_again(runs)

    def _note_again(self) -> None:
        self._waiting.obstacle = ""
        self._settle()

    def _wait_again(self, runs: list[TrialRun]) -> None:
        for run in reversed(runs):
            self._waiting.add_first(run)
        self._settle()
        for run in runs:
            self._waiting.tell((run.trial_id, run.attempt))

    def _claim(self, attempt: Attempt) -> None:
        """Takes note that the engine knows an attempt, which tells those of an earlier manager apart."""
        if not self._is_claimed:
            self._is_claimed = True
            self._later(CLAIM_SECONDS, lambda: self._stop(self._leftovers.take_all()))
        self._stop(self._leftovers.claim(attempt))

    def _stop(self, attempts: Mapping[Attempt, str]) -> None:
        """Stops attempts that nobody asks for."""
        for attempt, name in attempts.items():
            host = self._hosts.get(name)
            if host is None or self._placements.hosts[name].out:
                self._placements.release(attempt)
                continue
            logger.info("trial %s, attempt %d, is left from before on %s and is stopped", *attempt, name)
            self._unwanted[attempt] = name
            host.adopt(*attempt, 0)
            host.cancel(*attempt)

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        self._timers = [timer for timer in self._timers if not timer.cancelled()]
        self._timers.append(asyncio.get_running_loop().call_later(seconds, what))
