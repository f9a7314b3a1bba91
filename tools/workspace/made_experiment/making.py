"""Writes a made experiment through the storage that experiments have.

python -m workspace.made_experiment.making [options] FOLDER
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from nni_config import ExperimentConfig
from nni_config.experiment_summary import write_summary
from nni_config.private_files import write_private_file
from nni_manager.engine.effects import SaveExperiment, SaveMetrics, SaveTrial, Write
from nni_manager.engine.records import EndReason, ExperimentRecord
from nni_manager.engine.statuses import Actor, ExperimentStatus
from nni_manager.experiments.errors import ExperimentServiceError
from nni_manager.experiments.folder import ExperimentFolder, make_folder
from nni_manager.experiments.summary_file import summary_of
from nni_manager.storage.sqlite import open_sqlite_storage

from workspace.launch import ToolError, run
from workspace.made_experiment import parser
from workspace.made_experiment.files import write_files
from workspace.made_experiment.space import HTML, SEARCH_SPACE
from workspace.made_experiment.trials import SLOTS, STARTED_AT, MadeTrial, made_trials

_TRIALS_PER_COMMIT = 500


def make(folder: Path, experiment_id: str, trials: int, intermediates: int, seed: int, files: int) -> Path:
    """Makes an experiment that has ended.

    Args:
        folder: The folder that its folder is made in.
        experiment_id: Its id.
        trials: How many trials it has.
        intermediates: How many intermediate results each reports at most.
        seed: Where the random numbers start.
        files: How many trials have logs and other files.

    Returns:
        The experiment's folder.

    Raises:
        ToolError: It cannot be made there.
    """
    made = ExperimentFolder(folder.absolute() / experiment_id)
    try:
        make_folder(made)
    except ExperimentServiceError as error:
        raise ToolError(str(error)) from error
    storage = open_sqlite_storage(made.database)
    try:
        ended_at = STARTED_AT
        every = made_trials(experiment_id, trials, intermediates, seed)
        while batch := list(islice(every, _TRIALS_PER_COMMIT)):
            storage.commit(list(_writes(batch)))
            for trial in batch:
                ended_at = max(ended_at, trial.record.ended_at or 0.0)
                if trial.record.sequence_number < files:
                    write_files(made.trials_directory, trial)
        record = _experiment(made, experiment_id, trials, ended_at)
        storage.commit([SaveExperiment(record)])
        write_summary(summary_of(record, storage), made.path)
    finally:
        storage.close()
    write_private_file(made.log_directory / "nnimanager.log", f"[2026-09-21 00:00:00] INFO made {HTML}\n")
    return made.path


def _writes(batch: Sequence[MadeTrial]) -> Iterator[Write]:
    for trial in batch:
        record = trial.record
        yield SaveTrial(record)
        yield SaveMetrics(record.trial_id, record.attempt, trial.metrics, {}, None)


def _experiment(
    folder: ExperimentFolder, experiment_id: str, trials: int, ended_at: float
) -> ExperimentRecord:
    config = ExperimentConfig(
        experiment_name=f"Made {HTML} 形",
        experiment_working_directory=str(folder.path.parent),
        search_space=SEARCH_SPACE,
        trial_command="python3 train.py",
        trial_code_directory=str(folder.path.parent),
        trial_concurrency=SLOTS,
        max_trial_number=trials + trials // 4,
        tuner={"name": "Random", "classArgs": {"seed": 0}},
        training_service={"platform": "local"},
    ).canonical_copy()
    return ExperimentRecord(
        experiment_id=experiment_id,
        status=ExperimentStatus.STOPPED,
        config=config.to_dict(),
        optimize_mode="maximize",
        created_at=STARTED_AT - 3,
        started_at=STARTED_AT,
        ended_at=ended_at,
        running_seconds=ended_at - STARTED_AT,
        end_reason=EndReason(Actor.USER, "stopped by a user"),
        errors=(f"a made error with {HTML}\nand a second line",),
        next_sequence_number=trials,
        next_parameter_id=trials,
        warnings=("a made warning",),
    )


def main(words: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    options = parser().parse_args(words)
    began = time.monotonic()
    path = make(
        Path(options.folder),
        options.id,
        options.trials,
        options.intermediates,
        options.seed,
        options.files,
    )
    print(f"{path}: {options.trials} trials in {time.monotonic() - began:.1f} s")
    print(f"to see it: nnictl view {options.id} --experiments-dir {path.parent}")
    return 0


if __name__ == "__main__":
    run("workspace.made_experiment.making")
