"""What makes a code folder large."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

_MOST_NAMED = 5
_NEARLY_ALL = 0.9
_UNITS = ["bytes", "KB", "MB", "GB", "TB"]


def biggest(sizes: Mapping[str, int]) -> list[tuple[str, int]]:
    """Returns the largest things in a folder, the largest first: folders, with a "/", and files.

    Of a folder that holds nearly nothing but one other thing, that is named.

    Args:
        sizes: The size of each file, by its path below the folder.
    """
    totals: dict[str, int] = defaultdict(int)
    within: dict[str, set[str]] = defaultdict(set)
    for path, size in sizes.items():
        child = path
        totals[child] += size
        while child:
            parent = child[: child.rstrip("/").rfind("/") + 1]
            within[parent].add(child)
            totals[parent] += size
            child = parent
    named = []
    for path in _largest_first(within[""], totals)[:_MOST_NAMED]:
        while within.get(path):
            child = _largest_first(within[path], totals)[0]
            if totals[child] < _NEARLY_ALL * totals[path]:
                break
            path = child
        named.append((path, totals[path]))
    return named


def size_text(size: float) -> str:
    """Returns a size in the units of the configuration, of 1,024 each."""
    for unit in _UNITS[:-1]:
        if size < 1024:
            return f"{size:.0f} {unit}" if size >= 10 or size == int(size) else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {_UNITS[-1]}"


def _largest_first(paths: set[str], totals: Mapping[str, int]) -> list[str]:
    return sorted(paths, key=lambda path: (-totals[path], path))
