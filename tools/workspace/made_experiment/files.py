"""What a trial of a made experiment left in its folder."""

from __future__ import annotations

from pathlib import Path

from nni_config.private_files import write_private_file

from workspace.made_experiment.space import HTML
from workspace.made_experiment.trials import MadeTrial


def write_files(trials_directory: Path, trial: MadeTrial) -> None:
    """Writes a trial's output, its log, and a file in a folder of its own.

    Args:
        trials_directory: Where the folders of trials are.
        trial: The trial.
    """
    record = trial.record
    folder = trials_directory / record.trial_id
    (folder / "results").mkdir(parents=True, mode=0o700)
    lines = [f"\x1b[32mepoch {metric.index}\x1b[0m {metric.value} {HTML} ✓" for metric in trial.metrics]
    reason = record.end_reason
    write_private_file(folder / "stdout", "".join(f"{line}\n" for line in lines))
    write_private_file(folder / "stderr", "" if reason is None else reason.stderr_tail)
    write_private_file(folder / "trial.log", f"[2026-09-21 00:00:00] INFO trial {record.sequence_number}\n")
    write_private_file(folder / "results" / "weights.txt", "0 1 2\n" * 100)
