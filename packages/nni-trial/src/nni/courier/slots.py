"""The processes that trials run in: started, given the next trial in reuse mode, stopped."""

from __future__ import annotations

import os
import selectors
import signal
import time
from typing import Any, Dict, List, Optional, Tuple

from nni import runner
from nni.courier import launching
from nni.courier.launching import Place
from nni.courier.room import Room
from nni.courier.telling import Teller
from nni.courier.trials import Slot, Trial, home_of, lost_outcome, note_done, shell
from nni.trial_folder import TrialFolder, make_private_folder, read_json, write_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nni.courier.askers import Asker

MAX_CLEANINGS = 3

RECONNECTING_SECONDS = 1.0
"""How long processes of an earlier courier have to come back before trials are started in new ones.

The SDK tries more often than that."""


class Slots:
    """Keeps the processes.

    Attributes:
        shell: The path of the shell that runs the commands.
        asking_variables: What processes have in their environment to ask for more trials, beside the socket.
    """

    def __init__(
        self,
        place: Place,
        selector: selectors.BaseSelector,
        trials: Dict[Tuple[str, int], Trial],
        teller: Teller,
    ) -> None:
        """Begins without processes.

        Args:
            place: Where the trials run.
            selector: Gets what is to be waited for.
            trials: The trials that are watched, by id and attempt; the caller keeps it.
            teller: Tells the manager.
        """
        self.shell = shell()
        self._place = place
        self._selector = selector
        self._trials = trials
        self._teller = teller
        self._slots: Dict[Tuple[str, int], Slot] = {}
        self._children: Dict[int, Slot] = {}
        self._held: List[Trial] = []
        self._room = Room(place.experiment_directory, teller.problem)
        self._reconnecting_until = 0.0
        self._has_predecessor = False
        self._released = False
        self._ending = False
        self.asking_variables: Dict[str, str] = {}

    def expect_earlier_processes(self) -> None:
        """Says that an earlier courier had processes, which may come back."""
        self._reconnecting_until = time.monotonic() + RECONNECTING_SECONDS
        self._has_predecessor = True

    @property
    def must_be_watched(self) -> bool:
        """Whether something happens of which nobody tells."""
        return self._ending or bool(self._held) or any(not slot.is_child for slot in self._slots.values())

    @property
    def have_ended(self) -> bool:
        """Whether, after `end`, no process is left that runs no trial."""
        idle = any(slot.trial is None for slot in self._slots.values())
        return self._ending and not idle and time.monotonic() >= self._reconnecting_until

    # Commands

    def launch(self, trial: Trial) -> None:
        """Runs a trial: in a process that waits for one, or in a new one. What was begun before is found."""
        self._released = False
        try:
            if trial.folder.exists():
                self._attach(trial)
                return
            self._room.check()
            if not self._give(trial):
                if time.monotonic() < self._reconnecting_until:
                    self._held.append(trial)
                else:
                    self._start(trial)
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._refuse(trial, error)

    def adopt(self, trial: Trial) -> None:
        """Finds the process of a trial that an earlier courier started."""
        try:
            if not trial.folder.exists():
                raise ValueError("it was never started on this machine, or its folder is gone")
            self._attach(trial)
        except (OSError, ValueError, KeyError, TypeError) as error:
            trial.outcome = lost_outcome(f"the trial cannot be found again: {error}")

    def cancel(self, trial: Trial, order: Dict[str, Any]) -> None:
        """Stops the process of a trial, by the content for its cancel.json."""
        if trial in self._held:
            self._held.remove(trial)
            trial.outcome = lost_outcome("it was stopped before it was started")
        elif trial.slot is not None and trial.slot.trial is trial:
            self._stop(trial.slot, order)

    def release(self) -> None:
        """Tells processes that wait that there are no more trials, until one is launched."""
        self._released = True
        for slot in self._slots.values():
            if slot.trial is None:
                slot.answer({})

    def end(self) -> None:
        """Sees to it that processes without a trial end: they are told, then stopped after a grace period."""
        self.release()
        self._ending = True
        if self._has_predecessor:
            # One that was told to end by an earlier courier and takes its time asks nobody any more.
            for home in launching.homes_of_living(self._place):
                self._slot_at(home)
        for slot in list(self._slots.values()):
            self._stop_if_idle(slot)

    # What processes do

    def asked(self, key: Tuple[str, int], asker: Asker) -> None:
        """Takes a process's word that it has finished a trial and wants the next.

        Args:
            key: The trial and which run of it.
            asker: Who asks. It is answered now or when there is a trial for it.
        """
        slot = self._slot_that_ran(key)
        if slot is None:
            self._teller.problem(f"a process asks for a trial after {key[0]!r}, of which nothing runs here")
            asker.answer({})
            return
        trial = slot.trial
        try:
            if trial is not None and trial.key == key:
                self._finish(slot, trial)
            elif trial is None and key not in self._trials:
                # It comes before we are told of its trial: whoever looks for that finds its end.
                note_done(TrialFolder(self._place.experiment_directory, *key))
        except OSError as error:
            self._teller.problem(f"the end of trial {key[0]} cannot be noted: {error}")
            asker.close()
            return
        slot.askers.append(asker)
        if slot.trial is not None:
            # It got its next trial before, and lost the answer, or is another process of the same slot.
            self._tell_next(slot, slot.trial)
        elif slot.stopping or self._released:
            slot.answer({})
            self._stop_if_idle(slot)
        else:
            self._serve_held()

    def reaped(self, pid: int, how: str) -> None:
        """Notes that a child of ours has ended.

        Args:
            pid: Its process id.
            how: How it ended, in words.
        """
        slot = self._children.pop(pid, None)
        while slot is not None and self._hear(slot):
            continue  # its last words may come with the news of its end
        if slot is not None and self._slots.get(slot.key) is slot:
            self._on_runner_gone(slot, how)

    def look(self) -> None:
        """Looks after what nobody tells of: processes of an earlier courier, and trials that are held."""
        for slot in list(self._slots.values()):
            if not slot.is_child:
                self._check_adopted(slot)
        if self._held and time.monotonic() >= self._reconnecting_until:
            self._serve_held()

    # Inside

    def _start(self, trial: Trial) -> None:
        parameters = launching.parameters_record(self._place.experiment_id, trial, _command(trial))
        if trial.folder.create_with({"parameters.json": parameters}):
            self._start_process(trial)
        else:
            self._attach(trial)

    def _start_process(self, trial: Trial) -> None:
        slot = Slot(trial.folder, trial=trial, last_trial_id=trial.trial_id, is_child=True)
        slot.runner, slot.pipe = runner.start(
            launching.run_of(self._place, trial, _command(trial), self.shell, self.asking_variables)
        )
        os.set_blocking(slot.pipe, False)
        trial.slot = slot
        trial.handed = False
        self._slots[slot.key] = self._children[slot.runner] = slot
        self._selector.register(slot.pipe, selectors.EVENT_READ, lambda: self._hear(slot))

    def _hear(self, slot: Slot) -> bool:
        """Takes what a runner says, such as that its trial has started. Returns whether it may say more."""
        if slot.pipe == -1:  # taken to its end when the runner was reaped, in the same step
            return False
        try:
            words = os.read(slot.pipe, 65536)
        except BlockingIOError:
            return False
        slot.said += words
        if not words:
            self._selector.unregister(slot.pipe)
            os.close(slot.pipe)
            slot.pipe = -1
        trial = self._trials.get(slot.key)
        if trial is not None:
            self._teller.started(trial)
        return bool(words)

    def _attach(self, trial: Trial) -> None:
        """Finds the process of a trial that was begun before, or how it ended."""
        record = trial.run_record()
        slot = self._slot_at(home_of(trial.folder, record, self._place.experiment_directory))
        trial.slot = slot
        trial.handed = "slot" in record
        trial.outcome = trial.done_record()
        if trial.outcome is None:
            slot.trial = trial
            self._tell_next(slot, trial)

    def _slot_at(self, home: TrialFolder) -> Slot:
        slot = self._slots.get((home.trial_id, home.attempt))
        if slot is None:
            slot = Slot(home, adopted_at=time.monotonic(), last_trial_id=home.trial_id)
            slot.stopping = os.path.exists(home.cancel_file)
            self._slots[slot.key] = slot
        return slot

    def _slot_that_ran(self, key: Tuple[str, int]) -> Optional[Slot]:
        trial = self._trials.get(key)
        if trial is not None and trial.slot is not None and self._slots.get(trial.slot.key) is trial.slot:
            return trial.slot
        try:
            if trial is None:
                trial = Trial(TrialFolder(self._place.experiment_directory, *key))
            home = home_of(trial.folder, trial.run_record(), self._place.experiment_directory)
        except (ValueError, KeyError, TypeError):
            return None
        slot = self._slots.get((home.trial_id, home.attempt))
        if slot is None and os.path.exists(home.run_file) and not os.path.exists(home.exit_file):
            slot = self._slot_at(home)
        return slot

    def _give(self, trial: Trial) -> bool:
        """Gives a trial to a process that waits for one; returns False when there is none."""
        if not self._place.socket_path:
            return False
        command = _command(trial)
        kind = launching.fingerprint(command)
        for slot in self._slots.values():
            if slot.is_waiting() and slot.run_record().get("fingerprint") == kind:
                break
        else:
            return False
        make_private_folder(trial.folder.output_directory)
        _touch(trial.folder.stdout)
        record = {
            **slot.run_record(),
            "slot": {"trial_id": slot.home.trial_id, "attempt": slot.home.attempt},
            "started_at": time.time(),
            "stderr_offset": _touch(trial.folder.stderr),
        }
        parameters = launching.parameters_record(self._place.experiment_id, trial, command)
        if not trial.folder.create_with({"parameters.json": parameters, "run.json": record}):
            self._attach(trial)
            return True
        slot.trial, trial.slot, trial.handed = trial, slot, True
        self._tell_next(slot, trial)
        self._teller.started(trial, record)
        return True

    def _tell_next(self, slot: Slot, trial: Trial) -> None:
        slot.last_trial_id = trial.trial_id
        if slot.askers:
            variables = launching.trial_variables(self._place.experiment_id, trial, trial.command)
            slot.answer({name: text for name, text in variables.items() if name.startswith("NNI_")})

    def _finish(self, slot: Slot, trial: Trial) -> None:
        """Ends a trial whose process goes on. Noted in its folder, it holds whatever becomes of us."""
        trial.outcome = note_done(trial.folder)
        slot.trial = None

    def _serve_held(self) -> None:
        held, self._held = self._held, []
        for trial in held:
            self.launch(trial)

    def _stop(self, slot: Slot, order: Dict[str, Any]) -> None:
        slot.stopping = True
        slot.answer({})
        try:
            write_json(slot.home.cancel_file, order)
        except OSError as error:
            self._teller.problem(
                f"trial {slot.last_trial_id}: it is stopped in the usual way; how cannot be noted: {error}"
            )
        if slot.is_child or slot.runner_lives():
            os.kill(slot.runner, signal.SIGTERM)

    def _stop_if_idle(self, slot: Slot) -> None:
        if self._ending and slot.trial is None and not slot.stopping:
            # It was told that it may end, which is its first signal.
            self._stop(slot, {"signal": 0, "grace_seconds": self._place.grace_seconds})

    def _check_adopted(self, slot: Slot) -> None:
        if slot.trial is not None:
            self._teller.started(slot.trial)
        outcome = slot.exit_record()
        if outcome is not None:
            self._on_process_ended(slot, outcome)
        elif not slot.runner_lives():
            self._on_runner_gone(slot, "is gone")

    def _on_runner_gone(self, slot: Slot, how: str) -> None:
        outcome = slot.exit_record()
        if outcome is not None:
            unwritten = slot.words().get("unwritten")
            if unwritten:
                self._teller.problem(f"trial {slot.last_trial_id}: how it ended cannot be noted: {unwritten}")
            self._on_process_ended(slot, outcome)
            return
        cause = slot.words().get("problem", "what it said is in the trial's stderr")
        slot.problem = slot.problem or f"runner lost: the process that watched the trial {how}; {cause}"
        if slot.cleanings >= MAX_CLEANINGS:
            self._on_process_ended(slot, lost_outcome(slot.problem))
            return
        slot.cleanings += 1
        slot.answer({})
        try:
            slot.runner = runner.start_cleaner(
                slot.home, launching.tags(self._place, slot.home), self._place.grace_seconds, slot.problem
            )
        except OSError as error:
            problem = f"{slot.problem}, and what it left cannot be stopped: {error}"
            self._on_process_ended(slot, lost_outcome(problem))
            return
        slot.is_child = True
        self._children[slot.runner] = slot

    def _on_process_ended(self, slot: Slot, outcome: Dict[str, Any]) -> None:
        del self._slots[slot.key]
        for asker in slot.askers:
            asker.close()
        trial, slot.trial = slot.trial, None
        if trial is None:
            if not slot.stopping and outcome.get("exit_code") != 0:
                how = {name: content for name, content in outcome.items() if name != "ended_at"}
                self._teller.problem(
                    f"the process that ran trial {slot.last_trial_id} last failed when it had no trial: "
                    f"{how}; what it said is in the stderr of that trial"
                )
        elif trial.handed and not slot.stopping and trial.command and not trial.was_taken():
            # It ended while it waited, when the trial was on its way.
            try:
                self._start_process(trial)
            except OSError as error:
                self._refuse(trial, error)
        else:
            trial.outcome = _as_ordered(slot, outcome)

    def _refuse(self, trial: Trial, error: Exception) -> None:
        if self._room.explains(error):
            self._held.append(trial)
            self._teller.waits(trial, f"it waits for room on the disk: {error}")
        else:
            trial.outcome = lost_outcome(f"the trial cannot be started: {error}")


def _as_ordered(slot: Slot, outcome: Dict[str, Any]) -> Dict[str, Any]:
    """Returns how a trial ended, as its end was ordered while no manager could be reached, if it was."""
    try:
        reason = (read_json(slot.home.cancel_file) or {}).get("unattended")
    except (OSError, ValueError):
        reason = None
    return {"problem": str(reason), "ended_at": outcome["ended_at"]} if reason else outcome


def _command(trial: Trial) -> Dict[str, Any]:
    if trial.command is None:
        raise ValueError(f"nothing is known of how to start trial {trial.trial_id}")
    return trial.command


def _touch(path: str) -> int:
    """Creates a private file unless it is there, and returns its size."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return os.fstat(file).st_size
    finally:
        os.close(file)
