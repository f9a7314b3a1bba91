"""Packs a code folder, for the machines that trials run on."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from nni_manager.code_folder.code_files import Kind
from nni_manager.code_folder.contents import Contents, Entry, listed
from nni_manager.code_folder.ignore_rules import NAME
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.shipping.archive import Archive, write_archive
from nni_manager.training.shipping.sizes import biggest, size_text

MOST_BYTES = 300 << 20
"""How large a code folder may be if nothing else is said."""

_LOG = logging.getLogger(__name__)


class CodeFolderError(TrainingServiceError):
    """The code cannot be packed; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class CodeArchive(Archive):
    """A code folder that was packed.

    Attributes:
        outside_links: The links out of the folder, each with what it says, in quotes. What they point to was
            packed in their place, if there is something.
        links: The paths of the links that stay links.
        left_out: The paths of what is no file, no folder and no link, and of virtual environments.
    """

    outside_links: tuple[str, ...]
    links: tuple[str, ...]
    left_out: tuple[str, ...]


def pack_code(
    folder: Path,
    target_directory: Path,
    *,
    experiments_directory: Path,
    follows_outside_links: bool = True,
    most_bytes: int = MOST_BYTES,
) -> CodeArchive:
    """Packs a code folder, without what does not count as code.

    It takes about a second for 50 MB, and belongs into a thread. Each link out of the folder is logged, and
    what is left out because it makes no sense on another machine.

    Args:
        folder: The code folder.
        target_directory: The folder of the archive, which is made if it is not there.
        experiments_directory: Where the folders of experiments are.
        follows_outside_links: Whether what links out of the folder point to is packed; else they are refused.
        most_bytes: How large its files may be together.

    Raises:
        CodeFolderError: Something cannot be read or packed, each such thing is named; or it is too large.
    """
    folder = folder.absolute()
    contents = Contents(folder, experiments_directory, follows_outside_links=follows_outside_links)
    try:
        entries = list(contents)
        _check_size(folder, entries, most_bytes)
        environments = [entry.path for entry in entries if entry.kind is Kind.ENVIRONMENT]
        packed = [entry for entry in entries if entry.kind is not Kind.ENVIRONMENT]
        if contents.problems:
            raise CodeFolderError(_problems(folder, contents))
        archive = write_archive(packed, target_directory, "code-", contents.unreadable)
    except OSError as error:
        raise CodeFolderError(f"the code folder {str(folder)!a} cannot be packed: {error}") from error
    if contents.problems:
        archive.path.unlink()
        raise CodeFolderError(_problems(folder, contents))
    _tell(contents, environments, folder, {entry.path for entry in packed})
    return CodeArchive(
        archive.path,
        archive.sha256,
        archive.file_count,
        archive.byte_count,
        archive.packed_byte_count,
        tuple(contents.outside),
        tuple(contents.kept),
        (*contents.special, *environments),
    )


def _check_size(folder: Path, entries: list[Entry], most_bytes: int) -> None:
    sizes = {}
    for entry in entries:
        if entry.kind is Kind.FILE:
            sizes[entry.path] = entry.source.stat().st_size
    total = sum(sizes.values())
    if total > most_bytes:
        named = ", ".join(f"{path!a} ({size_text(size)})" for path, size in biggest(sizes))
        raise CodeFolderError(
            f"the code folder {str(folder)!a} holds {size_text(total)} in {len(sizes)} files, and "
            f"every machine would get all of it; allowed are {size_text(most_bytes)} (max_code_size). The "
            f"largest in it: {named}. Name what trials do not need or can read where it is in "
            f"{str(folder / NAME)!a}, a line each as in .gitignore"
        )


def _problems(folder: Path, contents: Contents) -> str:
    return (
        f"the code folder {str(folder)!a} cannot be sent to other machines: {listed(contents.problems)}. "
        "Change that, or name it in .nniignore"
    )


def _tell(contents: Contents, environments: list[str], folder: Path, packed: set[str]) -> None:
    """Logs what is unlike the original."""
    for link in contents.outside:
        _LOG.warning("a link out of the code folder is sent as a copy of what it points to: %s", link)
    for path in contents.special:
        _LOG.warning("not a file, not sent: %s", ascii(path))
    for path in environments:
        _LOG.warning("a virtual environment works on its machine alone, not sent: %s", ascii(path))
    root = folder.resolve()
    for path in contents.kept:
        target = Path(os.path.realpath(folder / path))  # Path.resolve() fails for one that leads to itself
        if target.exists() and root in target.parents and str(target.relative_to(root)) not in packed:
            _LOG.warning("a link to what is not sent: %s", ascii(path))
