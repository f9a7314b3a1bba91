"""The courier's loop: commands in, events out, and the trials in between."""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import time
from typing import Any, Dict, Optional, Tuple

from nni import processes, runner
from nni.courier import events
from nni.courier.channel import LineReader, LineWriter, ManagerGoneError
from nni.courier.output import stderr_tail
from nni.courier.reports import Batch, read_batch, report_size
from nni.courier.trials import Trial, lost_outcome, shell
from nni.courier.values import value_from_json
from nni.trial_folder import TrialFolder, write_json
from nni.version import __version__

SHORTEST_POLL = 0.05
LONGEST_POLL = 0.5
"""Seconds between looks at the report files, while they grow and after they were still for long."""

MAX_WAITING_BYTES = 4 << 20
"""No more reports are read while the manager has this much to take."""

MAX_CLEANINGS = 3


class Courier:
    """Starts, watches and stops the trials of one experiment on this machine."""

    def __init__(
        self, experiment_id: str, experiment_directory: str, grace_seconds: float, source: int, target: int
    ) -> None:
        """Makes a courier that has no trials yet.

        Args:
            experiment_id: The experiment.
            experiment_directory: Its folder on this machine.
            grace_seconds: How long processes that a trial left behind have after SIGTERM.
            source: The descriptor that commands come from.
            target: The descriptor that events go to.
        """
        self._experiment_id = experiment_id
        self._experiment_directory = experiment_directory
        self._grace_seconds = grace_seconds
        self._reader = LineReader(source)
        self._writer = LineWriter(target)
        self._selector = selectors.DefaultSelector()
        self._trials: Dict[Tuple[str, int], Trial] = {}
        self._runners: Dict[int, Trial] = {}
        self._poll_seconds = SHORTEST_POLL
        self._shell = shell()
        self._commands = {
            "launch": self._launch,
            "adopt": self._adopt,
            "cancel": self._cancel,
            "acknowledge": self._acknowledge,
            "shutDown": self._shut_down,
        }

    def run(self) -> None:
        """Works until the manager closes its end or says that it is enough. Trials go on."""
        wakeup, writer = os.pipe()
        for descriptor in (wakeup, writer):
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._selector.register(self._reader.descriptor, selectors.EVENT_READ, self._read_commands)
        self._selector.register(wakeup, selectors.EVENT_READ, lambda: self._reap(wakeup))
        processes.boot_id()  # known before the first fork, it need not be found out in each
        gc.freeze()  # the runners share these pages; a collection there or here must not touch them
        try:
            self._writer.write(events.ready(__version__, os.getpid()))
            if self._shell != "/bin/bash":
                self._problem(f"this machine has no /bin/bash; trial commands are run by {self._shell}")
            while True:
                self._step()
        except ManagerGoneError:
            return

    def _step(self) -> None:
        self._watch_output()
        for key, _ in self._selector.select(self._poll_seconds if self._trials else None):
            key.data()
        busy = False
        for trial in list(self._trials.values()):
            if not trial.is_child and trial.outcome is None:
                self._check_adopted(trial)
            busy |= self._pump(trial)
        self._poll_seconds = SHORTEST_POLL if busy else min(self._poll_seconds * 1.5, LONGEST_POLL)

    def _watch_output(self) -> None:
        watched = self._writer.descriptor in self._selector.get_map()
        if self._writer.waiting_bytes and not watched:
            self._selector.register(self._writer.descriptor, selectors.EVENT_WRITE, self._writer.flush)
        elif watched and not self._writer.waiting_bytes:
            self._selector.unregister(self._writer.descriptor)

    # Commands

    def _read_commands(self) -> None:
        for line in self._reader.lines():
            name = "?"
            try:
                ((name, content),) = json.loads(line).items()
                self._commands[name](content)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                self._problem(f"the command {name!r} cannot be carried out: {error!r}")

    def _launch(self, command: Dict[str, Any]) -> None:
        trial = self._new_trial(command)
        if trial is None:
            return
        try:
            if not trial.folder.create():
                trial.adopted_at = time.monotonic()
                return
            self._write_parameters(trial, command)
            self._start(trial, command)
        except (OSError, ValueError, KeyError) as error:
            trial.outcome = lost_outcome(f"the trial cannot be started: {error}")

    def _start(self, trial: Trial, command: Dict[str, Any]) -> None:
        environment = {**os.environ, **self._trial_variables(trial, command)}
        for variable in command.get("environment", ()):
            environment[variable["name"]] = variable.get("value", "")
        run = runner.Run(
            folder=trial.folder,
            shell=self._shell,
            command=command["command"],
            working_directory=command["workingDirectory"],
            environment=environment,
            tag=trial.tag(self._experiment_id),
            grace_seconds=self._grace_seconds,
        )
        trial.runner, pipe = runner.start(run)
        trial.is_child = True
        self._runners[trial.runner] = trial
        self._selector.register(pipe, selectors.EVENT_READ, lambda: self._on_started(trial, pipe))

    def _trial_variables(self, trial: Trial, command: Dict[str, Any]) -> Dict[str, str]:
        number_required = command.get("metricRequirement") == "METRIC_REQUIREMENT_NUMBER"
        return {
            "NNI_EXP_ID": self._experiment_id,
            "NNI_TRIAL_JOB_ID": trial.trial_id,
            "NNI_TRIAL_SEQ_ID": str(command.get("sequenceNumber", 0)),
            "NNI_TRIAL_ATTEMPT": str(trial.attempt),
            "NNI_OUTPUT_DIR": trial.folder.output_directory,
            "NNI_SYS_DIR": trial.folder.system_directory,
            "NNI_METRIC_REQUIREMENT": "number" if number_required else "any",
        }

    def _write_parameters(self, trial: Trial, command: Dict[str, Any]) -> None:
        parameter_id = command.get("parameterId")
        content = {
            "experiment_id": self._experiment_id,
            "trial_id": trial.trial_id,
            "attempt": trial.attempt,
            "sequence_number": command.get("sequenceNumber", 0),
            "parameter_id": None if parameter_id is None else int(parameter_id),
            "parameter_source": "customized" if parameter_id is None else "algorithm",
            "parameters": value_from_json(command["parameters"]),
        }
        write_json(trial.folder.parameters_file, content)

    def _adopt(self, command: Dict[str, Any]) -> None:
        trial = self._new_trial(command)
        if trial is None:
            return
        trial.position = int(command.get("acknowledgedOffset", 0))
        trial.adopted_at = time.monotonic()
        if not trial.folder.exists():
            trial.outcome = lost_outcome("the trial was never started on this machine, or its folder is gone")

    def _new_trial(self, command: Dict[str, Any]) -> Optional[Trial]:
        key = _key(command)
        if key in self._trials:
            return None
        folder = TrialFolder(self._experiment_directory, *key)
        trial = self._trials[key] = Trial(*key, folder)
        self._poll_seconds = SHORTEST_POLL
        return trial

    def _cancel(self, command: Dict[str, Any]) -> None:
        trial = self._trials.get(_key(command))
        if trial is None or trial.outcome is not None:
            return
        order = {"signal": command.get("signal", 2), "grace_seconds": float(command.get("graceSeconds", 0.0))}
        write_json(trial.folder.cancel_file, order)
        if trial.is_child or trial.runner_lives():
            os.kill(trial.runner, signal.SIGTERM)

    def _acknowledge(self, command: Dict[str, Any]) -> None:
        trial = self._trials.get(_key(command))
        if (
            trial is not None
            and trial.outstanding is not None
            and int(command["offset"]) >= trial.outstanding
        ):
            trial.outstanding = None

    def _shut_down(self, command: Dict[str, Any]) -> None:
        raise ManagerGoneError

    # What happens to trials

    def _on_started(self, trial: Trial, pipe: int) -> None:
        problem = os.read(pipe, 4096).decode("utf-8", "replace")
        self._selector.unregister(pipe)
        os.close(pipe)
        if problem:
            trial.outcome = lost_outcome(problem)
        self._tell_started(trial)

    def _tell_started(self, trial: Trial) -> None:
        record = trial.run_record()
        if not trial.started and "started_at" in record:
            trial.started = True
            self._writer.write(
                events.started(trial.trial_id, trial.attempt, record["started_at"], record["command"]["pid"])
            )

    def _reap(self, wakeup: int) -> None:
        os.read(wakeup, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            trial = self._runners.pop(pid, None)
            if trial is not None and trial.outcome is None:
                self._on_runner_gone(trial, _how(status))

    def _check_adopted(self, trial: Trial) -> None:
        self._tell_started(trial)
        trial.outcome = trial.exit_record()
        if trial.outcome is None and not trial.runner_lives():
            self._on_runner_gone(trial, "is gone")

    def _on_runner_gone(self, trial: Trial, how: str) -> None:
        trial.outcome = trial.exit_record()
        if trial.outcome is not None:
            return
        problem = f"runner lost: the process that watched the trial {how}"
        if trial.cleanings >= MAX_CLEANINGS:
            trial.outcome = lost_outcome(problem)
            return
        trial.cleanings += 1
        tag = trial.tag(self._experiment_id)
        try:
            trial.runner = runner.start_cleaner(trial.folder, tag, self._grace_seconds, problem)
        except OSError as error:
            trial.outcome = lost_outcome(f"{problem}, and what it left cannot be stopped: {error}")
            return
        trial.is_child = True
        self._runners[trial.runner] = trial

    def _pump(self, trial: Trial) -> bool:
        """Sends what a trial reported, then its end. Returns whether there was anything."""
        complete = trial.outcome is not None
        if (
            complete
            and trial.outstanding is not None
            and trial.outstanding == report_size(trial.folder.reports)
        ):
            self._tell_ended(trial)
            return True
        busy = False
        while trial.outstanding is None and self._writer.waiting_bytes < MAX_WAITING_BYTES:
            batch = self._next_batch(trial, complete)
            if batch.end == trial.position:
                if complete:
                    self._tell_ended(trial)
                return busy
            busy = True
            trial.position = batch.end
            if batch.reports:
                trial.outstanding = batch.end
                self._writer.write(events.reported(trial.trial_id, trial.attempt, batch.reports, batch.end))
        return busy

    def _next_batch(self, trial: Trial, complete: bool) -> Batch:
        try:
            batch = read_batch(trial.folder.reports, trial.position, complete)
        except OSError as error:
            batch = Batch([], trial.position, f"its report file cannot be read: {error}")
        if batch.problem and batch.problem != trial.problem:
            self._problem(f"trial {trial.trial_id}: {batch.problem}")
        trial.problem = batch.problem
        return batch

    def _tell_ended(self, trial: Trial) -> None:
        outcome = trial.outcome or {}
        self._tell_started(trial)
        if outcome.get("survivors"):
            self._problem(
                f"trial {trial.trial_id}: these processes could not be stopped: {outcome['survivors']}"
            )
        tail = ""
        if outcome.get("exit_code") != 0:
            tail = stderr_tail(trial.folder.stderr, trial.run_record().get("stderr_offset", 0))
        self._writer.write(events.ended(trial.trial_id, trial.attempt, outcome, tail))
        del self._trials[trial.trial_id, trial.attempt]

    def _problem(self, message: str) -> None:
        self._writer.write(events.problem(message))


def _key(command: Dict[str, Any]) -> Tuple[str, int]:
    return str(command["trialId"]), int(command.get("attempt", 0))


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was killed by signal {os.WTERMSIG(status)}"
    return f"ended with code {os.WEXITSTATUS(status)}; what it said is in the trial's stderr"
