"""nnictl experiment export and import."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from nni_client.commands.groups import ExperimentId, ExperimentsDirectory, ReadId, experiment
from nni_client.commands.identifiers import all_ids


class _FileType(str, Enum):
    json = "json"
    csv = "csv"


@experiment.command("export")
def export_experiment(
    file: Annotated[
        Path,
        typer.Option(
            "--filename", "-f", metavar="FILE", help="The file to write, or a folder to write <id>.json into."
        ),
    ],
    experiment_id: ReadId = None,
    file_type: Annotated[
        _FileType | None,
        typer.Option("--type", "-t", help="What to write; without it what the file's name says, else json."),
    ] = None,
    intermediate: Annotated[
        bool, typer.Option("--intermediate", "-i", help="Write intermediate results too.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Write all experiments, each into a file of its own in a folder.")
    ] = False,
    experiments_directory: ExperimentsDirectory = None,
) -> None:
    """Write the parameters and results of the trials, of a running or an ended experiment."""
    from nni_client.commands.exporting import Form, export_all, export_one

    form = Form(None if file_type is None else file_type.value, intermediate)
    if everything:
        if experiment_id is not None:
            raise typer.BadParameter("--all goes without an id")
        raise typer.Exit(export_all(experiments_directory, file, form))
    export_one(experiment_id, experiments_directory, file, form)


@experiment.command("import")
def import_data(
    experiment_id: ExperimentId = None,
    file: Annotated[
        Path | None,
        typer.Option("--filename", "-f", metavar="FILE", help="A file that export wrote, JSON or CSV."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="ID",
            help="An experiment whose results are taken, of NNI too: its id or its folder.",
            autocompletion=all_ids,
        ),
    ] = None,
) -> None:
    """Tell the tuner of a running experiment of results from elsewhere."""
    from nni_client.commands.importing import import_file, import_from

    if (file is None) == (source is None):
        raise typer.BadParameter("one of --filename and --from is needed")
    if file is not None:
        import_file(experiment_id, file)
    elif source is not None:
        import_from(experiment_id, source)
