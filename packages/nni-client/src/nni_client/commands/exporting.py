"""nnictl experiment export."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import NamedTuple

from nni_config.experiment_folders import FolderKind, FolderSummary, find_experiments
from nni_proto.resource_names import experiment_name

from nni_client.commands.selection import find, open_session
from nni_client.csv_form import to_csv
from nni_client.exported_trials import Export, ExportedTrial, exported_old_trials, exported_trials
from nni_client.json_form import to_json
from nni_client.old_records import read_old_experiment


class Form(NamedTuple):
    """What is written.

    Attributes:
        file_type: "json" or "csv"; None for what the file's name says.
        with_intermediates: Whether intermediate results are written too.
    """

    file_type: str | None
    with_intermediates: bool


def export_one(experiment_id: str | None, directory: Path | None, file: Path, form: Form) -> None:
    """Writes the results of an experiment into a file.

    Args:
        experiment_id: The experiment's id or its first letters; None for the only one that runs.
        directory: The folder that holds the experiment's folder; None for all that were ever used.
        file: The file, replaced if there is one; or a folder.
        form: What is written.

    Raises:
        RuntimeError: There is no such experiment, or it has no results.
        OSError: The file cannot be written.
    """
    folder = find(experiment_id, directory)
    export = read_exported(folder, form.with_intermediates)
    if not export.trials:
        raise RuntimeError(
            f"Experiment {folder.experiment_id} has no results to export: none of its trials has reported a "
            f"final result. Nothing was written."
        )
    target = file / f"{folder.experiment_id}.{form.file_type or 'json'}" if file.is_dir() else file
    _write(target, export.trials, form)
    print(_done(folder, export, target))


def export_all(directory: Path | None, target: Path, form: Form) -> int:
    """Writes the results of every experiment into a file of its own, `<id>.json` or `<id>.csv`.

    Args:
        directory: The folder that holds the experiments' folders; None for all that were ever used.
        target: The folder of the files, made if there is none.
        form: What is written.

    Returns:
        The exit code: 1 when an experiment could not be read or written.

    Raises:
        RuntimeError: There is no experiment, or two have the same id.
        OSError: The folder cannot be made.
    """
    folders = [it for it in find_experiments(None if directory is None else [directory]) if it.has_record]
    if not folders:
        raise RuntimeError("There is no experiment to export")
    _refuse_same_ids(folders)
    target.mkdir(parents=True, exist_ok=True)
    failed = 0
    for folder in folders:
        try:
            export = read_exported(folder, form.with_intermediates)
            if not export.trials:
                print(f"Experiment {folder.experiment_id} has no results; nothing was written for it")
                continue
            file = target / f"{folder.experiment_id}.{form.file_type or 'json'}"
            _write(file, export.trials, form)
        except (RuntimeError, OSError) as error:
            print(f"ERROR: experiment {folder.experiment_id}: {error}", file=sys.stderr)
            failed = 1
            continue
        print(_done(folder, export, file))
    return failed


def read_exported(folder: FolderSummary, with_intermediates: bool = False) -> Export:
    """Returns what an experiment has to export, whoever made it, whether it runs or not.

    Args:
        folder: The experiment.
        with_intermediates: Whether to return their intermediate results.

    Raises:
        RuntimeError: The record cannot be read.
    """
    if folder.kind is FolderKind.OLD:
        return exported_old_trials(read_old_experiment(folder.path), with_intermediates)
    if not folder.has_record and not folder.is_running:
        return Export([])
    with open_session(folder) as session:
        return exported_trials(session, experiment_name(folder.experiment_id), with_intermediates)


def _write(file: Path, trials: list[ExportedTrial], form: Form) -> None:
    """Writes a file whole or not at all; what is no file, such as /dev/stdout, is written to as it is."""
    is_table = form.file_type == "csv" or (form.file_type is None and file.suffix.lower() == ".csv")
    content = (to_csv(trials) if is_table else to_json(trials)).encode()
    target = file.resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(content)
        return
    temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(content)
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o777)
        temporary.replace(target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(file)
        raise


def _refuse_same_ids(folders: list[FolderSummary]) -> None:
    by_id: dict[str, FolderSummary] = {}
    for folder in folders:
        other = by_id.setdefault(folder.experiment_id, folder)
        if other is not folder:
            raise RuntimeError(
                f"Two experiments have the id {folder.experiment_id}: {other.path} and {folder.path}; "
                "--experiments-dir names one folder of experiments"
            )


def _done(folder: FolderSummary, export: Export, file: Path) -> str:
    done = f"Exported {_results(len(export.trials))} of experiment {folder.experiment_id} to {file}"
    count = export.left_out_count
    if not count:
        return done
    return f"{done}; {count} trial{'' if count == 1 else 's'} without a final result left out"


def _results(count: int) -> str:
    return f"{count} result{'' if count == 1 else 's'}"
