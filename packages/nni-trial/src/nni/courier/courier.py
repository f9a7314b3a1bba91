"""The courier's loop: commands in, events out, and the trials in between."""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import time
from typing import Any, Callable, Dict, Optional, Tuple

from nni import processes
from nni.courier import events
from nni.courier.channel import LineReader, LineWriter, ManagerGoneError
from nni.courier.launching import Place
from nni.courier.reports import Batch, read_batch, report_size
from nni.courier.slots import Slots
from nni.courier.telling import Teller
from nni.courier.trials import Trial
from nni.trial_folder import TrialFolder
from nni.version import __version__

SHORTEST_POLL = 0.05
LONGEST_POLL = 0.5
"""Seconds between looks at the report files, while they grow and after they were still for long."""

MAX_WAITING_BYTES = 4 << 20
"""No more reports are read while the manager has this much to take."""


class Courier:
    """Starts, watches and stops the trials of one experiment on this machine."""

    def __init__(self, place: Place, source: int, target: int) -> None:
        """Makes a courier that has no trials yet.

        Args:
            place: Where the trials run.
            source: The descriptor that commands come from.
            target: The descriptor that events go to.
        """
        self._place = place
        self._reader = LineReader(source)
        self._writer = LineWriter(target)
        self._teller = Teller(self._writer)
        self._selector = selectors.DefaultSelector()
        self._trials: Dict[Tuple[str, int], Trial] = {}
        self._slots = Slots(place, self._selector, self._trials, self._teller)
        self._poll_seconds = SHORTEST_POLL
        self._look_at = 0.0
        self._shutting_down = False
        self._commands = {
            "launch": self._launch,
            "adopt": self._adopt,
            "cancel": self._cancel,
            "acknowledge": self._acknowledge,
            "release": self._release,
            "shutDown": self._shut_down,
        }

    def run(self) -> None:
        """Works until the manager closes its end or says that it is enough. Trials go on.

        Raises:
            OSError: The socket for processes that ask for more trials cannot be used.
        """
        wakeup, writer = os.pipe()
        for descriptor in (wakeup, writer):
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._selector.register(self._reader.descriptor, selectors.EVENT_READ, self._read_commands)
        self._selector.register(wakeup, selectors.EVENT_READ, lambda: self._reap(wakeup))
        close_door = self._open_door()
        processes.boot_id()  # known before the first fork, it need not be found out in each
        gc.freeze()  # the runners share these pages; a collection there or here must not touch them
        try:
            self._writer.write(events.ready(__version__, os.getpid()))
            if self._slots.shell != "/bin/bash":
                self._teller.problem(
                    f"this machine has no /bin/bash; trial commands are run by {self._slots.shell}"
                )
            while not self._slots.have_ended:
                self._step()
            close_door()
            self._writer.flush()
        except ManagerGoneError:
            return

    def _open_door(self) -> Callable[[], None]:
        """Lets processes ask for more trials, in reuse mode; returns what ends that."""
        if not self._place.socket_path:
            return lambda: None
        from nni.courier.askers import AskerListener  # it needs sockets, which most couriers do without

        listener = AskerListener(
            self._place.socket_path, self._selector, self._slots.asked, self._teller.problem
        )
        self._slots.asking_variables = listener.variables
        if listener.replaced:
            self._slots.expect_earlier_processes()
        return listener.remove

    def _step(self) -> None:
        seconds = self._writer.flush_due()
        self._watch_output()
        if self._trials or self._slots.must_be_watched:
            seconds = min(seconds, max(0.0, self._look_at - time.monotonic()))
        for key, _ in self._selector.select(None if seconds == float("inf") else seconds):
            key.data()
        if time.monotonic() >= self._look_at:
            self._look()
        else:
            for trial in [trial for trial in self._trials.values() if trial.is_due or trial.outcome]:
                self._pump(trial)

    def _look(self) -> None:
        """Looks at everything of which nobody tells."""
        self._slots.look()
        busy = False
        for trial in list(self._trials.values()):
            busy |= self._pump(trial)
        self._poll_seconds = SHORTEST_POLL if busy else min(self._poll_seconds * 1.5, LONGEST_POLL)
        self._look_at = time.monotonic() + self._poll_seconds

    def _look_soon(self, seconds: float) -> None:
        self._poll_seconds = SHORTEST_POLL
        self._look_at = min(self._look_at, time.monotonic() + seconds)

    def _watch_output(self) -> None:
        watched = self._writer.descriptor in self._selector.get_map()
        if self._writer.is_blocked and not watched:
            self._selector.register(self._writer.descriptor, selectors.EVENT_WRITE, self._writer.flush)
        elif watched and not self._writer.is_blocked:
            self._selector.unregister(self._writer.descriptor)

    # Commands

    def _read_commands(self) -> None:
        try:
            lines = self._reader.lines()
        except ManagerGoneError:
            if not self._shutting_down:
                raise
            self._selector.unregister(self._reader.descriptor)  # it has said all that it had to say
            return
        for line in lines:
            name = "?"
            try:
                ((name, content),) = json.loads(line).items()
                self._commands[name](content)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                self._teller.problem(f"the command {name!r} cannot be carried out: {error!r}")

    def _launch(self, command: Dict[str, Any]) -> None:
        trial = self._new_trial(command)
        if trial is not None:
            trial.command = command
            self._slots.launch(trial)
            self._look_soon(SHORTEST_POLL if trial.slot is None or trial.slot.is_child else 0.0)

    def _adopt(self, command: Dict[str, Any]) -> None:
        trial = self._new_trial(command)
        if trial is not None:
            trial.position = int(command.get("acknowledgedOffset", 0))
            self._slots.adopt(trial)
            self._look_soon(0.0)

    def _new_trial(self, command: Dict[str, Any]) -> Optional[Trial]:
        key = _key(command)
        if key in self._trials:
            return None
        trial = self._trials[key] = Trial(TrialFolder(self._place.experiment_directory, *key))
        return trial

    def _cancel(self, command: Dict[str, Any]) -> None:
        trial = self._trials.get(_key(command))
        if trial is None or trial.outcome is not None:
            return
        order = {"signal": command.get("signal", 2), "grace_seconds": float(command.get("graceSeconds", 0.0))}
        self._slots.cancel(trial, order)

    def _acknowledge(self, command: Dict[str, Any]) -> None:
        trial = self._trials.get(_key(command))
        if (
            trial is not None
            and trial.outstanding is not None
            and int(command["offset"]) >= trial.outstanding
        ):
            trial.outstanding = None
            trial.is_due = True

    def _release(self, command: Dict[str, Any]) -> None:
        self._slots.release()

    def _shut_down(self, command: Dict[str, Any]) -> None:
        self._shutting_down = True
        self._slots.end()
        self._look_soon(0.0)

    # What happens to trials

    def _reap(self, wakeup: int) -> None:
        os.read(wakeup, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._slots.reaped(pid, _how(status))

    def _pump(self, trial: Trial) -> bool:
        """Sends what a trial reported, then its end. Returns whether there was anything."""
        trial.is_due = False
        complete = trial.outcome is not None
        self._teller.started(trial)  # a quick script reports before its runner has told that it runs
        if not trial.started and not complete:
            return False
        busy = False
        while True:
            if trial.outstanding is not None:
                if complete and trial.outstanding == report_size(trial.folder.reports):
                    self._end(trial)
                return busy
            if self._writer.waiting_bytes >= MAX_WAITING_BYTES:
                trial.is_due = True
                return busy
            batch = self._next_batch(trial, complete)
            if batch.end == trial.position:
                if complete:
                    self._end(trial)
                return busy
            busy = True
            trial.position = batch.end
            if batch.reports:
                trial.outstanding = batch.end
                self._teller.reported(trial, batch)

    def _end(self, trial: Trial) -> None:
        self._teller.ended(trial)
        del self._trials[trial.key]

    def _next_batch(self, trial: Trial, complete: bool) -> Batch:
        try:
            batch = read_batch(trial.folder.reports, trial.position, complete)
        except OSError as error:
            batch = Batch([], trial.position, f"its report file cannot be read: {error}")
        if batch.problem and batch.problem != trial.problem:
            self._teller.problem(f"trial {trial.trial_id}: {batch.problem}")
        trial.problem = batch.problem
        return batch


def _key(command: Dict[str, Any]) -> Tuple[str, int]:
    return str(command["trialId"]), int(command.get("attempt", 0))


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was killed by signal {os.WTERMSIG(status)}"
    return f"ended with code {os.WEXITSTATUS(status)}"
