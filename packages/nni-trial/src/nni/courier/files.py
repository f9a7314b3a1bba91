"""Gives the manager the files of trials, beside the courier: `python -m nni.courier.files`.

A request is one line on standard input, a JSON object whose "do" names what is wanted. The answer on standard
output is a line with a JSON object and the "size" bytes that follow it; {"error": ...} if it went wrong.
Requests are answered in their order. Its own life is over when the manager closes its end.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Any, BinaryIO, Dict, List, Tuple

from nni import processes
from nni.courier.predecessor import end_noted, take_over
from nni.courier.run_directory import (
    COURIER_NOTE,
    FILES_NOTE,
    UNATTENDED_NOTE,
    attend,
    remove_socket_folder,
)
from nni.courier.trial_files import LOGS, TrialFiles
from nni.trial_folder import folder_id, make_private_folder

MAX_LOG_BYTES = 4 << 20
"""How much of the logs one answer carries at most."""

MAX_READ_BYTES = 4 << 20
"""How much of a file one answer carries at most."""

_ATTEND_SECONDS = 0.2
_KILL_SECONDS = 5.0
_KILL_AGAIN_SECONDS = 0.1  # a runner notes meanwhile how its trial ended

Answer = Tuple[Dict[str, Any], bytes]


class FileServer:
    """Answers requests."""

    def __init__(self, experiment_id: str, experiment_directory: str, run_directory: str) -> None:
        """Does nothing yet.

        Args:
            experiment_id: The experiment.
            experiment_directory: Its folder on this machine.
            run_directory: The folder, in that, of what runs on this machine alone.
        """
        self._experiment_id = experiment_id
        self._directory = experiment_directory
        self._run_directory = run_directory
        self._files = TrialFiles(experiment_directory)
        self._attend_at = 0.0
        self._answers = {
            "hello": lambda request: ({"pid": os.getpid()}, b""),
            "many": self._many,
            "finished": lambda request: ({"finished": self._files.finished()}, b""),
            "logs": self._logs,
            "outputs": self._outputs,
            "read": self._read,
            "trials": self._trials,
            "remove": self._remove,
            "removeTrials": self._remove_trials,
            "leave": self._leave,
            "stop": self._stop,
            "removeExperiment": self._remove_experiment,
        }

    def serve(self, source: BinaryIO, target: BinaryIO) -> None:
        """Answers until the source ends."""
        for line in source:
            self._attend()
            answer, data = self._answer(line)
            try:
                target.write(json.dumps({**answer, "size": len(data)}).encode("ascii") + b"\n" + data)
                target.flush()
            except BrokenPipeError:
                return

    def _attend(self) -> None:
        """Notes that the manager is there, which keeps trials from being stopped."""
        if time.monotonic() >= self._attend_at:
            self._attend_at = time.monotonic() + _ATTEND_SECONDS
            with suppress(OSError):  # the folder may be gone, and with it all that would be stopped
                attend(self._run_directory)

    def _answer(self, asked: Any) -> Answer:
        try:
            request = json.loads(asked) if isinstance(asked, bytes) else asked
            return self._answers[request["do"]](request)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            return {"error": str(error) if isinstance(error, OSError) else repr(error)}, b""

    def _many(self, request: Dict[str, Any]) -> Answer:
        """Answers several requests at a time; the bytes of their answers follow each other."""
        told = []
        data = bytearray()
        for each in request["requests"]:
            answer, piece = self._answer(each)
            told.append({**answer, "size": len(piece)})
            data += piece
        return {"answers": told}, bytes(data)

    def _logs(self, request: Dict[str, Any]) -> Answer:
        """Gives what logs of trials have beyond a size; beyond none if the folder has another label."""
        told: List[Dict[str, Any]] = []
        data = bytearray()
        for wanted in request["trials"]:
            trial_id, known = wanted["trial"], wanted["sizes"]
            try:
                label = self._files.label(trial_id)
            except OSError:  # it has not begun
                continue
            same = label == wanted.get("label")
            for name in LOGS:
                if name not in known:
                    continue
                have = int(known[name]) if same else -1
                try:
                    size = self._files.size(trial_id, name)
                    begin = have if 0 <= have <= size else 0
                    room = max(0, MAX_LOG_BYTES - len(data))
                    piece = self._files.read(trial_id, name, begin, min(room, size - begin))
                except OSError:
                    continue
                if piece or size != have:
                    told.append(
                        {
                            "trial": trial_id,
                            "label": label,
                            "name": name,
                            "offset": begin,
                            "length": len(piece),
                            "of": size,
                        }
                    )
                    data += piece
        return {"logs": told}, bytes(data)

    def _outputs(self, request: Dict[str, Any]) -> Answer:
        """Lists what a trial has left, the small files with their content as far as there is room."""
        trial_id = request["trial"]
        records = [(path, size, False) for path, size in self._files.records(trial_id, request["attempt"])]
        found = self._files.outputs(trial_id, request["patterns"])
        data = bytearray()
        told = []
        for path, size, executable in records + found.files:
            piece = b""
            if size <= request["inline"] - len(data):
                try:
                    piece = self._files.read(trial_id, path, 0, size)
                except OSError as error:
                    found.unreadable.append((path, error.strerror or str(error)))
                    continue
            whole = len(piece) == size
            told.append({"path": path, "of": size, "executable": executable, "whole": whole})
            data += piece if whole else b""
        answer = {
            "files": told,
            "links": found.links,
            "others": found.others,
            "unreadable": found.unreadable,
        }
        return answer, bytes(data)

    def _read(self, request: Dict[str, Any]) -> Answer:
        length = min(int(request["length"]), MAX_READ_BYTES)
        return {}, self._files.read(request["trial"], request["path"], int(request["offset"]), length)

    def _trials(self, request: Dict[str, Any]) -> Answer:
        return {"trials": self._files.trials()}, b""

    def _remove(self, request: Dict[str, Any]) -> Answer:
        if request.get("outputsOnly"):
            self._files.remove_outputs(request["trial"])
            return {}, b""
        return {"gone": self._files.remove(request["trial"], request["attempts"])}, b""

    def _remove_trials(self, request: Dict[str, Any]) -> Answer:
        kept = [trial for trial, done in request["trials"].items() if not self._files.remove(trial, done)]
        return {"kept": kept}, b""

    def _leave(self, request: Dict[str, Any]) -> Answer:
        """Ends what watches trials, if none runs."""
        if not self._living():
            end_noted(os.path.join(self._run_directory, UNATTENDED_NOTE))
        return {}, b""

    def _stop(self, request: Dict[str, Any]) -> Answer:
        """Ends the courier and whatever runs of the experiment."""
        for name in (COURIER_NOTE, UNATTENDED_NOTE):
            end_noted(os.path.join(self._run_directory, name))
        self._kill_all()
        return {}, b""

    def _remove_experiment(self, request: Dict[str, Any]) -> Answer:
        """Removes the experiment's folder, or all in it but the trials if there are any.

        With "alone" nothing but our own is removed if other machines use the folder too.
        """
        remove_socket_folder(self._run_directory)
        if request.get("alone"):
            _remove(self._run_directory)
            names = os.listdir(self._directory)
            if any(name.startswith("run-") for name in names):
                return {"gone": True}, b""
        whole = not self._files.trials()
        with suppress(FileNotFoundError):  # another machine that shares the folder removes it too
            for name in os.listdir(self._directory):
                if whole or name != "trials":
                    _remove(os.path.join(self._directory, name))
            if whole:
                os.rmdir(self._directory)
                with suppress(OSError):  # other experiments are in it
                    os.rmdir(os.path.dirname(self._directory))
        return {"gone": whole}, b""

    def _kill_all(self) -> None:
        give_up = time.monotonic() + _KILL_SECONDS
        while (living := self._living()) and time.monotonic() < give_up:
            for pid in living:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(_KILL_AGAIN_SECONDS)

    def _living(self) -> List[int]:
        """Returns the processes of this experiment's trials."""
        names = (f"NNI_EXP_ID={self._experiment_id}", f"NNI_FOLDER_ID={folder_id(self._directory)}")
        tag = [name.encode() for name in names]
        return [pid for pid in processes.all_pids() if processes.carries(pid, [tag])]


def _remove(path: str) -> None:
    import shutil

    def failed(function: Any, path: str, info: Any) -> None:
        if not issubclass(info[0], FileNotFoundError):  # another machine that shares the folder was faster
            raise info[1]

    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, onerror=failed)
    else:
        with suppress(FileNotFoundError):
            os.unlink(path)


def main() -> None:
    """Runs a server on standard input and output."""
    parser = argparse.ArgumentParser(
        prog="python -m nni.courier.files", description="Gives the files of trials of one experiment."
    )
    parser.add_argument("--experiment-id", required=True)
    parser.add_argument("--experiment-directory", required=True)
    parser.add_argument("--run-directory", required=True)
    options = parser.parse_args()
    make_private_folder(options.run_directory)
    take_over(os.path.join(options.run_directory, FILES_NOTE))
    server = FileServer(options.experiment_id, options.experiment_directory, options.run_directory)
    server.serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
