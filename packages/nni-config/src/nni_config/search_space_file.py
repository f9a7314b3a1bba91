"""Reads files that hold a search space."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nni_config.origin import Origin

_LARGE = 200_000
"""From how many bytes on finding lines would take longer than it is worth."""


def read_search_space(path: Path) -> Any:
    """Returns what a JSON or YAML file holds.

    Raises:
        ValueError: It cannot be read, or is neither.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ValueError(f'Failed to load search space file "{path}": {error.strerror}') from None
    except UnicodeDecodeError as error:
        raise ValueError(
            f'Failed to load search space file "{path}": byte {error.start + 1} is not UTF-8'
        ) from None
    try:
        return json.loads(text)
    except ValueError as json_error:
        from nni_config.yaml_file import read_yaml

        document = read_yaml(path)
        if document.problems:
            yaml_problems = "; ".join(str(problem) for problem in document.problems)
            reasons = f"it is not JSON ({json_error}), and as YAML: {yaml_problems}"
            raise ValueError(f'Failed to load search space file "{path}": {reasons}') from None
        return document.value


def search_space_origin(path: Path) -> Origin:
    """Returns where the parts of a search space stand in its file; in a large one, only which file it is."""
    if path.stat().st_size < _LARGE:
        from nni_config.yaml_file import read_yaml

        # JSON is YAML but for tabs, with which it ends up without lines.
        return read_yaml(path).origin
    return Origin(str(path), {}, {})
