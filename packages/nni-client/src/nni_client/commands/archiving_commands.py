"""nnictl experiment save and load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nni_client.commands.groups import ExperimentsDirectory, ReadId, experiment


@experiment.command("save")
def save_experiment(
    experiment_id: ReadId = None,
    path: Annotated[
        Path,
        typer.Option(
            "--path",
            "-p",
            help="The folder to write nni_experiment_<id>.zip into, or a file that ends in .zip.",
        ),
    ] = Path(),
    with_code: Annotated[
        bool, typer.Option("--save-code-dir", "--saveCodeDir", "-s", help="Save the trials' code too.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the archive if there is one.")] = False,
    experiments_directory: ExperimentsDirectory = None,
) -> None:
    """Save an experiment as one archive, to be loaded on another machine."""
    from nni_client.commands.archiving import save

    save(experiment_id, experiments_directory, path, with_code, force)


@experiment.command("load")
def load_experiment(
    path: Annotated[Path, typer.Option("--path", "-p", metavar="FILE", help="The archive.")],
    code_directory: Annotated[
        Path | None,
        typer.Option(
            "--code-dir",
            "--codeDir",
            "-c",
            help="Where the trials' code is; if the archive has it, a new or empty folder to put it into.",
        ),
    ] = None,
    experiments_directory: Annotated[
        Path | None,
        typer.Option(
            "--log-dir",
            "--logDir",
            "-l",
            "--experiments-dir",
            "-e",
            help="The folder that is to hold the experiment's folder; without it ~/nni-experiments.",
        ),
    ] = None,
    new_id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Another id for it, from which those of its trials follow."),
    ] = None,
    search_space: Annotated[
        Path | None,
        typer.Option(
            "--search-space-path", "--searchSpacePath", "-s", help="A file to write its search space to."
        ),
    ] = None,
    max_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="How large its files may be together, such as 50gb.")
    ] = None,
) -> None:
    """Load an experiment that was saved; it can be viewed and resumed then."""
    from nni_client.commands.archiving import Places, load

    load(path, Places(experiments_directory, code_directory, search_space), max_size, new_id)
