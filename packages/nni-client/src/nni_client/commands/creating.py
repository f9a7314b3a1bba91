"""nnictl create."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nni_config import ExperimentConfig

from nni_client.commands.foreground import run_in_foreground
from nni_client.experiment import Experiment
from nni_client.run_mode import RunMode


class Options(NamedTuple):
    """What `Experiment.start`, `run` and `resume` are given, under the same names."""

    port: int
    debug: bool
    bind: str | None
    allowed_hosts: Sequence[str] | None
    allow_plaintext: bool
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_ca: Path | None = None


def create_experiment(config_file: Path, options: Options, url_prefix: str | None, foreground: bool) -> int:
    """Starts an experiment from a file.

    Args:
        config_file: The configuration.
        options: How to start it.
        url_prefix: The path that a reverse proxy puts before the page's.
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
    experiment.url_prefix = url_prefix
    if foreground:
        return run_in_foreground(lambda: experiment.run(**options._asdict()))
    experiment.start(run_mode=RunMode.Detach, **options._asdict())
    say_how_to_stop(experiment.id)
    return 0


def say_how_to_stop(experiment_id: str) -> None:
    """Prints how an experiment in the background is stopped."""
    print(f'To stop experiment run "nnictl stop {experiment_id}" or "nnictl stop --all"')
