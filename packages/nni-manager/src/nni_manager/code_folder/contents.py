"""What a copy of a code folder holds, wherever the copy goes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nni_manager.code_folder.code_files import NEVER_CODE, Kind, code_paths, is_environment
from nni_manager.code_folder.ignore_rules import IgnoreRules
from nni_manager.code_folder.links import link_text_inside

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """A path in the copy.

    Attributes:
        path: The path below the copy, with "/" between its parts. The folder that it is in comes before it.
        kind: FILE, FOLDER, LINK or ENVIRONMENT.
        source: Where it is now, by an absolute path. A file may be a link there.
        text: What a link is to say.
    """

    path: str
    kind: Kind
    source: Path
    text: str = ""


class Contents:
    """What a copy of a code folder holds; to be gone through once.

    What `code_paths` leaves out is left out. Links that stay inside stay links, what other links point to
    takes their place and is left out by `.nniignore` as if it were there. An outside link that points to
    nothing stays as it is. The attributes are complete after the last entry.

    Attributes:
        outside: The links out of the folder, each with what it says, in quotes.
        kept: The paths of the links that stay.
        special: What is no file, no folder and no link, and is left out.
        problems: What cannot be copied, and why.
    """

    def __init__(
        self, folder: Path, experiments_directory: Path, *, follows_outside_links: bool = True
    ) -> None:
        """Looks at nothing yet.

        Args:
            folder: The code folder.
            experiments_directory: Where the folders of experiments are.
            follows_outside_links: Whether what is outside is copied; else each such link is a problem.
        """
        self.outside: list[str] = []
        self.kept: list[str] = []
        self.special: list[str] = []
        self.problems: list[str] = []
        self._folder = folder.absolute()
        self._experiments_directory = experiments_directory
        self._follows = follows_outside_links
        self._rules = IgnoreRules(self._folder)

    def __iter__(self) -> Iterator[Entry]:
        """Yields the entries, folders before what is in them."""
        paths = code_paths(self._folder, self._experiments_directory, self.unreadable, self._rules)
        for code_path in paths:
            source = self._folder / code_path.path
            match code_path.kind:
                case Kind.LINK:
                    try:
                        yield from self._link(code_path.path, source)
                    except OSError as error:
                        self.unreadable(error)
                case Kind.SPECIAL:
                    self.special.append(code_path.path)
                case kind:
                    yield Entry(code_path.path, kind, source)

    def unreadable(self, error: OSError) -> None:
        """Notes what cannot be read."""
        name = f" {error.filename!a}" if error.filename is not None else ""
        self.problems.append(f"cannot read{name}: {error.strerror or error}")

    def _link(self, path: str, source: Path) -> Iterator[Entry]:
        text = os.readlink(source)  # noqa: PTH115  Path would change its text
        inside = link_text_inside(str(self._folder), path, text)
        if inside is not None:
            self.kept.append(path)
            yield Entry(path, Kind.LINK, source, inside)
            return
        if self._is_ignored(path, source):
            return
        self.outside.append(f"{path!a} -> {text!a}")
        if not self._follows:
            self.problems.append(f"the link {str(source)!a} leads out of the folder, to {text!a}")
            return
        waiting: list[tuple[str, Path, tuple[str, ...]]] = [(path, source, ())]
        while waiting:
            path, source, above = waiting.pop()
            kind = _kind_outside(source)
            if self._is_ignored(path, source):
                continue
            if kind is Kind.SPECIAL:
                self.special.append(path)
                continue
            if kind is Kind.ENVIRONMENT:
                yield Entry(path, kind, source.resolve())
            else:
                link = os.readlink(source) if kind is Kind.LINK else ""  # noqa: PTH115
                yield Entry(path, kind, source, link)
            if kind is Kind.FOLDER:
                real = str(source.resolve())
                names = self._names_in(source, real, above)
                waiting += [(f"{path}/{name}", source / name, (*above, real)) for name in names]

    def _is_ignored(self, path: str, source: Path) -> bool:
        return self._rules.ignore(path, is_folder=source.is_dir())

    def _names_in(self, source: Path, real: str, above: tuple[str, ...]) -> list[str]:
        """Returns the names in a folder outside, the last one first, none if it holds itself."""
        if real in above or self._folder.resolve().is_relative_to(real):
            self.problems.append(f"the link {str(source)!a} leads to a folder that holds itself")
            return []
        try:
            return sorted(set(os.listdir(source)) - NEVER_CODE, key=os.fsencode, reverse=True)  # noqa: PTH208
        except OSError as error:
            self.unreadable(error)
            return []


def listed(things: list[str], separator: str = "; ") -> str:
    """Returns the first few of things, and how many more there are.

    Args:
        things: Sentences or names.
        separator: What is between them.
    """
    more = f"{separator}and {len(things) - _NAMED} more" if len(things) > _NAMED else ""
    return separator.join(things[:_NAMED]) + more


def _kind_outside(source: Path) -> Kind:
    """Tells what a path outside is or points to; what points to nothing is a link."""
    if source.is_file():
        return Kind.FILE
    if source.is_dir():
        return Kind.ENVIRONMENT if is_environment(source) else Kind.FOLDER
    return Kind.LINK if source.is_symlink() else Kind.SPECIAL
