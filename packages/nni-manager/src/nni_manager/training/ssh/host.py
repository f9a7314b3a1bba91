"""Runs trials on a machine that is reached over SSH (design.md 7)."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from nni_manager.engine.events import TrainingServiceFailed, TrialEnded
from nni_manager.engine.statuses import MetricKind
from nni_manager.training import courier_messages as messages
from nni_manager.training.courier_connection import END_SECONDS, CourierConnection, cancelled
from nni_manager.training.gpu_report import PROGRAM_SECONDS, parse_machine_report
from nni_manager.training.host import HostAwayError, HostChanged, HostEmit, HostReport
from nni_manager.training.interface import TrainingEvent, TrainingServiceError, TrialRun
from nni_manager.training.ssh.abandoned import AbandonedAttempts
from nni_manager.training.ssh.cleaning import remove_experiment
from nni_manager.training.ssh.courier_channel import CourierRules, RemoteProcess, after_token
from nni_manager.training.ssh.endings import Endings, OutputRules
from nni_manager.training.ssh.errors import Phase, SshError
from nni_manager.training.ssh.finished import FinishedAttempts
from nni_manager.training.ssh.last_seen import LastSeen
from nni_manager.training.ssh.machine import RemoteMachine, Ship
from nni_manager.training.ssh.reconnecting import HostUnreachableError
from nni_manager.training.ssh.site import Site
from nni_manager.training.ssh.target import SshTarget
from nni_manager.training.trial_environment import trial_environment

logger = logging.getLogger(__name__)

UNREACHABLE_LIMIT = 3600.0
"""How many seconds a machine may be away before its trials count as ended."""

CANCEL_PATIENCE = 10.0
"""How many seconds the machine of a canceled trial has to come back."""

PROBE_SECONDS = 5.0
"""How long a machine has to say anything, when one of its trials is canceled."""

CLOSING_PATIENCE = 5.0
"""How long a machine that is away is waited for when its host is let go: it may be back since a moment."""

CLEANING_SECONDS = 300.0
"""How long it may take to remove what is ours on a machine."""

_LONGEST_LOOK = 1.0
_LONGEST_UNHEARD = 20.0

Key = tuple[str, int]


class SshHost:
    """Keeps the promises of training/host.py for trials on another machine.

    Attributes:
        name: The host.
    """

    def __init__(
        self,
        *,
        target: SshTarget,
        ship: Ship,
        experiment_id: str,
        experiment_directory: Path,
        command: str,
        emit: HostEmit,
        outputs: OutputRules | None,
        remote_directory: str | None = None,
        python_path: str | None = None,
        numeric_kinds: Collection[MetricKind] = (),
        trial_gpu_number: int | None = None,
        stop_signal: int = signal.SIGINT,
        grace_seconds: float = 5.0,
        reuse_mode: bool = False,
        site: Site | None = None,
        unreachable_limit: float = UNREACHABLE_LIMIT,
        cancel_patience: float = CANCEL_PATIENCE,
    ) -> None:
        """Makes a host that has done nothing yet.

        Args:
            target: The machine.
            ship: Puts code and SDK there.
            experiment_id: The experiment.
            experiment_directory: Its folder here, which exists.
            command: The trials' command, run by a shell.
            emit: Gets the events.
            outputs: What is fetched and what stays there, None if the folder there is one that we see too:
                then nothing is fetched, and nothing removed.
            remote_directory: The experiment's folder there, None for the usual one in the user's home.
            python_path: Where the machine's Python is: the interpreter, or the folder it is in.
            numeric_kinds: The kinds of results that have to be numbers, or dicts with one under "default".
            trial_gpu_number: How many GPUs a trial uses, None if that is not said.
            stop_signal: The first signal to a trial that is to stop.
            grace_seconds: How long a trial has after it, and after the SIGTERM that follows.
            reuse_mode: Whether a process that asks for another trial gets one.
            site: Gets the machine ready first, None if nothing else is needed there.
            unreachable_limit: How many seconds the machine may be away before its trials count as ended.
            cancel_patience: How many seconds it may be away before canceled trials do.
        """
        self.name = target.name
        self._emit = emit
        self._command = command
        self._numeric_kinds = numeric_kinds
        self._trial_gpu_number = trial_gpu_number
        self._stop_signal = int(stop_signal)
        self._grace_seconds = grace_seconds
        self._reuse_mode = reuse_mode
        self._unreachable_limit = unreachable_limit
        self._unattended_limit = unreachable_limit + unattended_margin(unreachable_limit)
        self._cancel_patience = cancel_patience
        self._outputs = outputs
        self._environment: dict[str, str] = {}
        self._open: set[Key] = set()
        self._ending: set[Key] = set()
        self._canceled: dict[Key, float] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._watch: asyncio.Task[None] | None = None
        self._probe: asyncio.Task[None] | None = None
        self._told_warnings: frozenset[str] = frozenset()
        self._machine = RemoteMachine(
            target,
            experiment_id,
            remote_directory or f"~/nni-experiments/{experiment_id}",
            python_path,
            ship,
            self._on_host_changed,
            site,
        )
        trials_directory = experiment_directory.absolute() / "trials"
        self._held: list[TrialRun] | None = None
        self._seen = LastSeen(experiment_directory.absolute(), self.name)
        self._abandoned = AbandonedAttempts(experiment_directory.absolute(), self.name)
        self._finished = FinishedAttempts(trials_directory, emit)
        self._endings: Endings | None = None
        if outputs is not None:
            self._endings = Endings(
                self._machine,
                trials_directory,
                outputs,
                self._finished,
                self._must_give_up,
                in_use=reuse_mode,
                keep=None if site is None else site.keep,
            )
        self._connection = CourierConnection(self._open_courier, self._on_event)

    async def start(self) -> None:
        """Connects, looks for what is needed, puts code and SDK there, and starts the courier.

        Raises:
            HostAwayError: The machine cannot be reached now.
            TrainingServiceError: That is impossible; the text names all that is wrong there.
        """
        try:
            await self._machine.open()
        except SshError as error:
            if error.phase not in (Phase.CONNECT, Phase.LOST):
                raise
            reason = error.reason
            raise HostAwayError(str(error), lambda: self._start_later(reason)) from error
        try:
            await self._begin()
        except BaseException:
            self._machine.wait_no_longer()
            if self._machine.code_directory:
                await self._clean(alone=True)
            await self._machine.close()
            raise

    async def _begin(self) -> None:
        self._seen.note()
        self._environment = trial_environment("remote", self._machine.code_directory, self._trial_gpu_number)
        for trial_id, attempt in self._abandoned.attempts:
            self._abandon(trial_id, attempt)
        await self._connection.open()
        held, self._held = self._held or [], None
        for run in held:
            self._launch(run)
        attend = self._keep_attended()
        self._tasks.append(asyncio.create_task(attend, name=f"signs of life to {self.name}"))
        if self._endings is not None:
            follow = self._endings.follow(self._running_trials)
            self._tasks.append(asyncio.create_task(follow, name=f"logs on {self.name}"))
            if self._reuse_mode:
                await self._endings.recover()

    def _start_later(self, reason: str) -> None:
        self._held = []
        self._machine.open_later(time.monotonic() - (time.time() - self._seen.when()), reason)
        self._tasks.append(asyncio.create_task(self._begin_later(), name=f"start of {self.name}"))

    async def _begin_later(self) -> None:
        try:
            await self._machine.wait()
            await self._begin()
        except HostUnreachableError as error:
            logger.debug("%s was never reached: %s", self.name, error)
        except TrainingServiceError as error:
            self._emit(TrainingServiceFailed(str(error), at=time.time()))

    async def report(self) -> HostReport:
        """Lists the machine's GPUs.

        Raises:
            TrainingServiceError: It cannot be asked; the text says why.
        """
        at = time.time()
        result = await self._machine.run(lambda place: place.report(), PROGRAM_SECONDS)
        output = after_token(result.stdout)
        if result.exit_code != 0 or output is None:
            last = "".join(result.stderr.decode("utf-8", "replace").strip().splitlines()[-1:])
            raise TrainingServiceError(
                f"{self.name}: the program that lists GPUs ended with exit code {result.exit_code}: {last}"
            )
        report = parse_machine_report(output, at)
        for warning in report.warnings:
            if warning not in self._told_warnings:
                logger.warning("GPUs of %s: %s", self.name, warning)
        self._told_warnings = frozenset(report.warnings)
        return report.host

    def submit(self, run: TrialRun) -> None:
        """Starts a trial soon."""
        key = (run.trial_id, run.attempt)
        if key in self._open or self._finished.tell(*key):
            return
        self._open.add(key)
        if self._held is None:
            self._launch(run)
        else:
            self._held.append(run)

    def _launch(self, run: TrialRun) -> None:
        command = messages.launch(
            run, self._command, self._machine.code_directory, self._environment, self._numeric_kinds
        )
        self._connection.launch(run.trial_id, run.attempt, command)

    def adopt(self, trial_id: str, attempt: int, acknowledged_offset: int) -> None:
        """Watches a trial submitted before a restart; one that never started ends with a problem."""
        key = (trial_id, attempt)
        if key not in self._open and not self._finished.tell(trial_id, attempt, acknowledged_offset):
            self._open.add(key)
            self._connection.adopt(trial_id, attempt, acknowledged_offset)

    def cancel(self, trial_id: str, attempt: int) -> None:
        """Stops a trial. While its machine is away that is done later, but its end is told before long."""
        if (trial_id, attempt) in self._open:
            self._canceled.setdefault((trial_id, attempt), time.monotonic())
            for run in [
                run for run in self._held or () if (run.trial_id, run.attempt) == (trial_id, attempt)
            ]:
                # It may run there: an earlier manager died before it knew.
                self._held = [other for other in self._held or () if other is not run]
                self._connection.adopt(trial_id, attempt, 0)
            if self._probe is None or self._probe.done():
                probe = self._machine.probe(PROBE_SECONDS)
                self._probe = asyncio.create_task(probe, name=f"looking for {self.name}")
            self._connection.cancel(trial_id, attempt, self._stop_signal, self._grace_seconds)

    def acknowledge(self, trial_id: str, attempt: int, offset: int) -> None:
        """Says that a trial's results are stored up to this position of its report file."""
        if not self._finished.acknowledge(trial_id, attempt, offset):
            self._connection.acknowledge(trial_id, attempt, offset)

    def release(self) -> None:
        """Says that no trial is coming: processes that wait for one may end."""
        if self._reuse_mode:
            self._connection.release()

    def output_directory(self, trial_id: str) -> str:
        """Returns the folder of a trial's output, as the machine names it."""
        return f"{self._machine.directory}/trials/{trial_id}"

    async def close(self) -> None:
        """Lets the machine go. Running trials go on; of those that have ended nothing is left there."""
        await self._machine.try_now(CLOSING_PATIENCE)
        self._machine.wait_no_longer()
        if self._machine.lost_at is not None and (self._open or self._abandoned.attempts):
            logger.warning(
                "%s is unreachable (%s): what runs there goes on, until a resume reaches it or, without one, "
                "it ends by itself %s after the last connection",
                self.name,
                self._machine.reason,
                _words(self._unattended_limit),
            )
        for task in (*self._tasks, *filter(None, [self._watch, self._probe])):
            await cancelled(task)
        if self._reuse_mode:
            # A process that waits has two grace periods before it is killed.
            await self._connection.close(END_SECONDS + 2 * self._grace_seconds + 10.0, may_have_waiting=True)
        else:
            await self._connection.close()
        if self._endings is not None:
            await self._endings.close()
        await self._clean()
        await self._machine.close()

    async def _clean(self, *, alone: bool = False) -> None:
        if self._open or self._outputs is None or self._outputs.keep_remote:
            with suppress(TrainingServiceError):
                await self._machine.files.ask("leave")
            return
        directory = self._machine.directory
        removing = remove_experiment(self.name, self._machine.files, self._finished, directory, alone=alone)
        try:
            await asyncio.wait_for(removing, CLEANING_SECONDS)
        except asyncio.TimeoutError:
            logger.warning("%s: %s is not removed within %.0f s", self.name, directory, CLEANING_SECONDS)
        except TrainingServiceError as error:
            logger.warning("%s: %s stays there: %s", self.name, directory, error)

    async def _open_courier(self) -> RemoteProcess:
        rules = CourierRules(self._grace_seconds, self._reuse_mode, self._unattended_limit, self._stop_signal)
        return await self._machine.start_courier(rules)

    async def _keep_attended(self) -> None:
        """Lets the machine know, now and then, that somebody cares for its trials."""
        while True:
            await asyncio.sleep(min(_LONGEST_UNHEARD, self._unattended_limit / 8))
            if self._machine.lost_at is None:
                with suppress(TrainingServiceError):
                    await self._machine.files.ask("hello")
                    self._seen.note()

    def _on_event(self, event: TrainingEvent) -> None:
        if not isinstance(event, TrialEnded):
            self._emit(event)
            return
        key = (event.trial_id, event.attempt)
        if self._endings is None:
            self._end(event)
        else:
            self._ending.add(key)
            # An attempt that failed may be tried again, and go on in its folder.
            is_last = event.exit_code == 0 or key in self._canceled
            self._endings.begin(event, lambda: self._end(event), is_last=is_last)

    def _end(self, event: TrialEnded) -> None:
        key = (event.trial_id, event.attempt)
        self._open.discard(key)
        self._ending.discard(key)
        self._canceled.pop(key, None)
        self._emit(event)

    def _running_trials(self) -> list[str]:
        return [trial_id for trial_id, attempt in self._open if (trial_id, attempt) not in self._ending]

    # A machine that is away

    def _on_host_changed(self, event: HostChanged) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if not event.reachable:
            if self._held is None:
                self._seen.note()
            self._watch = asyncio.create_task(self._give_up_in_time(), name=f"limit for {self.name}")
        self._emit(event)

    async def _give_up_in_time(self) -> None:
        limits = (self._unreachable_limit, self._cancel_patience)
        while True:
            await asyncio.sleep(min(_LONGEST_LOOK, *(limit / 4 for limit in limits)))
            for key in self._open - self._ending:
                if self._must_give_up(key):
                    self._give_up(key)

    def _must_give_up(self, key: Key) -> bool:
        lost_at = self._machine.lost_at
        if lost_at is None:
            return False
        now = time.monotonic()
        canceled_at = self._canceled.get(key)
        if canceled_at is not None and now - max(canceled_at, lost_at) >= self._cancel_patience:
            return True
        return now - lost_at >= self._unreachable_limit

    def _give_up(self, key: Key) -> None:
        lost_at = self._machine.lost_at
        assert lost_at is not None
        away = _words(time.monotonic() - lost_at)
        problem = f"{self.name} was unreachable for {away} ({self._machine.reason})"
        if key in self._canceled:
            problem = f"it was canceled while {self.name} was unreachable ({self._machine.reason}); "
            problem += (
                "what runs there is stopped when it is reachable again, or by the machine itself after "
                f"{_words(self._unattended_limit)} without a connection"
            )
        end = TrialEnded(*key, at=time.time(), problem=problem)
        self._abandoned.add(*key)
        if self._held is not None:
            self._held = [run for run in self._held if (run.trial_id, run.attempt) != key]
        if self._endings is not None:
            try:
                self._finished.note(end, complete=True)
            except OSError as error:
                logger.error("trial %s: its end cannot be noted: %s", key[0], error)
        self._abandon(*key)
        self._end(end)

    def _abandon(self, trial_id: str, attempt: int) -> None:
        self._connection.abandon(
            trial_id,
            attempt,
            self._stop_signal,
            self._grace_seconds,
            lambda: self._abandoned.discard(trial_id, attempt),
        )


def unattended_margin(unreachable_limit: float) -> float:
    """Returns for how many seconds more than its limit a machine leaves trials alone that nobody reaches."""
    return min(max(unreachable_limit / 10, 5.0), 300.0)


def _words(seconds: float) -> str:
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
