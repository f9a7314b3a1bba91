"""nnictl create."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType

from nni_config import ExperimentConfig

from nni_client.experiment import Experiment
from nni_client.run_mode import RunMode


def create_experiment(config_file: Path, port: int, foreground: bool, debug: bool) -> int:
    """Starts an experiment from a file.

    Args:
        config_file: The configuration.
        port: The page's port; 0 picks a free one.
        foreground: Wait for the end; SIGTERM and Ctrl-C stop the experiment.
        debug: Log more.

    Returns:
        The exit code: 0 when the experiment has started, or has ended well; 1 when it failed; 128 and the
        signal's number when one stopped it.

    Raises:
        ValueError: The configuration is not valid.
        RuntimeError: The manager could not be started.
        OSError: The file cannot be read.
    """
    experiment = Experiment(ExperimentConfig.load(config_file))
    if foreground:
        return _run(experiment, port, debug)
    experiment.start(port, debug, RunMode.Detach)
    print(f'To stop experiment run "nnictl stop {experiment.id}" or "nnictl stop --all"')
    return 0


def _run(experiment: Experiment, port: int, debug: bool) -> int:
    received = [signal.SIGINT]

    def interrupt(number: int, frame: FrameType | None) -> None:
        received[0] = signal.Signals(number)
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, interrupt)
    result = experiment.run(port, debug=debug)
    if result is None:
        return 128 + received[0]
    return 0 if result else 1
