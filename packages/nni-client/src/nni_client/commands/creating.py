"""nnictl create."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from nni_config import ExperimentConfig

from nni_client.experiment import Experiment
from nni_client.run_mode import RunMode


class Options(NamedTuple):
    """What `Experiment.start` and `Experiment.run` are given, under the same names."""

    port: int
    debug: bool
    bind: str | None
    allowed_hosts: Sequence[str] | None
    allow_plaintext: bool


def create_experiment(config_file: Path, options: Options, foreground: bool) -> int:
    """Starts an experiment from a file.

    Args:
        config_file: The configuration.
        options: How to start it.
        foreground: Wait for the end; SIGTERM and Ctrl-C stop the experiment.

    Returns:
        The exit code: 0 when the experiment has started, or has ended well; 1 when it failed; 128 and the
        signal's number when one stopped it.

    Raises:
        ValueError: The configuration is not valid.
        RuntimeError: The manager could not be started.
        OSError: The file cannot be read.
    """
    config = ExperimentConfig.load(config_file)
    notice = config.conversion_notice()
    if notice is not None:
        print(notice, file=sys.stderr)
    experiment = Experiment(config)
    if foreground:
        return _run(experiment, options)
    experiment.start(run_mode=RunMode.Detach, **options._asdict())
    print(f'To stop experiment run "nnictl stop {experiment.id}" or "nnictl stop --all"')
    return 0


def _run(experiment: Experiment, options: Options) -> int:
    received = [signal.SIGINT]

    def interrupt(number: int, frame: FrameType | None) -> None:
        received[0] = signal.Signals(number)
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, interrupt)
    result = experiment.run(**options._asdict())
    if result is None:
        return 128 + received[0]
    return 0 if result else 1
