"""nnictl experiment import."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nni_config.local_state import ManagerRecord
from nni_proto.resource_names import experiment_name

from nni_client.commands.exporting import read_exported
from nni_client.commands.selection import connection_to, find, select
from nni_client.exported_trials import ExportedTrial
from nni_client.trial_import import checked_trials, import_trials, read_trials


def import_file(experiment_id: str | None, file: Path) -> None:
    """Tells an experiment's tuner of the results in a file.

    Args:
        experiment_id: The experiment's id or its first letters; None for the only one that runs.
        file: JSON or CSV, as export writes it.

    Raises:
        RuntimeError: No such experiment runs, or it refuses.
        ValueError: The file holds something else.
        OSError: The file cannot be read.
    """
    record = select(experiment_id)
    _import(record, read_trials(file), str(file))


def import_from(experiment_id: str | None, source: str) -> None:
    """Tells an experiment's tuner of the results of another experiment.

    Args:
        experiment_id: The experiment's id or its first letters; None for the only one that runs.
        source: The other experiment's id or its first letters, or its folder.

    Raises:
        RuntimeError: There is no such experiment, or the first one does not run or refuses.
        ValueError: Both are the same.
    """
    record = select(experiment_id)
    path = Path(source).expanduser()
    is_folder = len(path.parts) > 1 and path.is_dir()
    folder = find(path.resolve().name, path.resolve()) if is_folder else find(source)
    if folder.path.resolve() == Path(record.directory).resolve():
        raise ValueError(f"Experiment {record.experiment_id} knows its own results; --from names another one")
    _import(record, read_exported(folder).trials, f"experiment {folder.experiment_id}")


def _import(record: ManagerRecord, found: Sequence[ExportedTrial], source: str) -> None:
    if not found:
        raise RuntimeError(f"{source}: there are no results to import")
    try:
        trials = checked_trials(found)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None
    with connection_to(record).session() as session:
        told = import_trials(session, experiment_name(record.experiment_id), trials)
    count = f"{told}" if told == len(trials) else f"{told} of {len(trials)}"
    print(f"Imported {count} results into experiment {record.experiment_id}")
