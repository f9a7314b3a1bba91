"""Where symbolic links in a code folder lead. It works on what links say, not on files."""

# pathlib would change the texts.
# ruff: noqa: PTH117, PTH118, PTH120
from __future__ import annotations

import os.path


def link_text_inside(folder: str, path: str, text: str) -> str | None:
    """Returns what a link is to say in a copy of its folder, None if it leads out of the folder.

    The text stays as it is where it leads to the same place in the copy. One that names the folder itself
    becomes relative.

    Args:
        folder: The folder, an absolute path.
        path: The link's path below the folder.
        text: What the link says.
    """
    parent = os.path.dirname(path)
    for root in (os.path.normpath(folder), os.path.realpath(folder)):
        position = os.path.relpath(os.path.join(root, parent, text), root)
        if not _leads_out(position):
            below = os.path.normpath(os.path.join(parent, text))
            stays = not os.path.isabs(text) and not _leads_out(below)
            return text if stays else os.path.relpath(position, parent or ".")
    return None


def _leads_out(position: str) -> bool:
    return position == ".." or position.startswith("../")
