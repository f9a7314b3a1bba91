"""nnictl top."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from nni_config.experiment_folders import FolderSummary, find_experiments
from nni_proto.resource_names import experiment_name, parse_trial_name
from nni_proto.v1.experiment_pb2 import Experiment
from nni_proto.v1.experiment_service_pb2 import GetExperimentRequest, ListTrialsRequest
from nni_proto.v1.trial_pb2 import Trial

from nni_client import words
from nni_client.commands.output import is_terminal, style_of, table_within
from nni_client.commands.selection import find, open_session
from nni_client.errors import CallError
from nni_client.methods import GET_EXPERIMENT, LIST_TRIALS

if TYPE_CHECKING:
    from rich.console import RenderableType

_ANSWER_SECONDS = 5.0
_MOST_TRIALS = 10
_ACTIVE = (Trial.STATUS_RUNNING, Trial.STATUS_WAITING, Trial.STATUS_UNKNOWN)


class Look(NamedTuple):
    """An experiment at one moment.

    Attributes:
        folder: Its folder.
        experiment: The experiment; None when its manager does not answer.
        trials: Trials that have not ended, the first ones.
        problem: Why the manager does not answer, "" when it does.
    """

    folder: FolderSummary
    experiment: Experiment | None
    trials: list[Trial]
    problem: str


def watch(experiment_id: str | None, seconds: float, looks: int | None) -> int:
    """Shows the experiments that run again and again.

    Args:
        experiment_id: Only this one; None for all.
        seconds: How long to wait between two looks.
        looks: After how many looks to end; None for no end but Ctrl-C.

    Returns:
        The exit code: 1 when no experiment runs.

    Raises:
        RuntimeError: No such experiment runs.
    """
    folders = _running(experiment_id)
    if not folders:
        print("ERROR: There is no experiment running; see: nnictl list --all", file=sys.stderr)
        return 1
    try:
        if is_terminal():
            _watch_live(experiment_id, seconds, looks)
        else:
            _print_blocks(experiment_id, seconds, looks)
    except KeyboardInterrupt:
        return 0
    return 0


def _running(experiment_id: str | None) -> list[FolderSummary]:
    if experiment_id is None:
        return [it for it in find_experiments() if it.is_running]
    folder = find(experiment_id)
    if not folder.is_running:
        raise RuntimeError(f"Experiment {folder.experiment_id} does not run; see: nnictl list --all")
    return [folder]


def _watch_live(experiment_id: str | None, seconds: float, looks: int | None) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    with Live(console=console, auto_refresh=False, screen=looks is None) as live:
        for folders in _moments(experiment_id, seconds, looks):
            view = _view([_look(folder) for folder in folders], console.width)
            live.update(view, refresh=True)


def _print_blocks(experiment_id: str | None, seconds: float, looks: int | None) -> None:
    for folders in _moments(experiment_id, seconds, looks):
        for folder in folders:
            print("\n".join(_block(_look(folder))), flush=True)
        if not folders:
            print("No experiment is running.", flush=True)


def _moments(experiment_id: str | None, seconds: float, looks: int | None) -> Iterator[list[FolderSummary]]:
    count = 0
    while True:
        yield [
            it
            for it in find_experiments()
            if it.is_running and (experiment_id is None or it.experiment_id.startswith(experiment_id))
        ]
        count += 1
        if looks is not None and count >= looks:
            return
        time.sleep(seconds)


def _look(folder: FolderSummary) -> Look:
    name = experiment_name(folder.experiment_id)
    try:
        with open_session(folder, _ANSWER_SECONDS) as session:
            experiment = session.call(GET_EXPERIMENT, GetExperimentRequest(name=name)).experiment
            request = ListTrialsRequest(parent=name, page_size=_MOST_TRIALS, statuses=_ACTIVE)
            trials = list(session.call(LIST_TRIALS, request).trials)
    except (CallError, RuntimeError) as error:
        return Look(folder, None, [], str(error))
    return Look(folder, experiment, trials, "")


def _heading(look: Look) -> list[str]:
    """Returns what is said of an experiment, the first two lines as NNI's monitor had them."""
    manager, summary, experiment = look.folder.manager, look.folder.summary, look.experiment
    port = "N/A" if manager is None else str(manager.port)
    if experiment is None:
        return [f"Id: {look.folder.experiment_id}    Status: UNKNOWN    Port: {port}    {look.problem}"]
    platform = "N/A" if summary is None else summary.platform
    status = words.experiment_status(experiment.status) + (" (paused)" if experiment.paused else "")
    started = _time(experiment.start_time) if experiment.HasField("start_time") else "N/A"
    duration = words.duration(experiment.running_time.ToTimedelta().total_seconds())
    lines = [
        f"Id: {look.folder.experiment_id}    Status: {status}    Port: {port}    Platform: {platform}",
        f"StartTime: {started}    Duration: {duration}    Trials: {words.counts(experiment)}",
    ]
    if best := words.best(experiment):
        lines.append(f"Best: {best}")
    return lines


_COLUMNS = (("trialId", 15), ("startTime", 27), ("status", 15), ("parameters", 0))
_NAMES = [name for name, _ in _COLUMNS]


def _cells(trial: Trial) -> tuple[str, ...]:
    return (
        parse_trial_name(trial.name)[1],
        _time(trial.start_time) if trial.HasField("start_time") else "N/A",
        words.trial_status(trial.status),
        words.parameters(trial),
    )


def _block(look: Look) -> list[str]:
    rows = [tuple(name for name, _ in _COLUMNS), *map(_cells, look.trials)] if look.trials else []
    lines = [
        "".join(f"{cell:<{width}}" for cell, (_, width) in zip(row, _COLUMNS, strict=True)) for row in rows
    ]
    return [*_heading(look), *(line.rstrip() for line in lines), ""]


def _view(looks: list[Look], room: int) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(f"{datetime.now():%H:%M:%S}  Ctrl-C ends this view", style="dim")]
    for look in looks:
        head, *facts = _heading(look)
        status = "UNKNOWN" if look.experiment is None else words.experiment_status(look.experiment.status)
        parts += [Text(head, style=f"bold {style_of(status)}"), *map(Text, facts)]
        if look.trials:
            table, left_out = table_within(
                room, _NAMES, [_cells(trial) for trial in look.trials], _NAMES[-1:]
            )
            parts += [table, *([Text(f"No room for: {', '.join(left_out)}")] if left_out else [])]
        parts.append(Text(""))
    if not looks:
        parts.append(Text("No experiment is running."))
    return Group(*parts)


def _time(time_stamp: Timestamp) -> str:
    seconds = time_stamp.ToNanoseconds() / 1e9
    return datetime.fromtimestamp(seconds).astimezone().isoformat(sep=" ", timespec="seconds")
