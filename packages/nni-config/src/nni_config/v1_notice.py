"""What is said about a configuration file in NNI's V1 form, and the file in the V2 form."""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import Any

from nni_config.secrets import HIDDEN, without_secrets
from nni_config.v1_conversion import Conversion
from nni_config.v1_keys import RELATIVE_PATHS
from nni_config.yaml_text import yaml_text

_LINE = "=" * 80
_FREE = ("classArgs", "searchSpace")
"""Fields in which names are not those of ours."""


def conversion_notice(conversion: Conversion) -> str:
    """Returns a text with the V2 form of a V1 file, and with what is different and why, without secrets."""
    file = conversion.document.origin.file
    text = v2_text(conversion, secrets=False)
    parts = [f"{file} is in NNI's V1 form. It is read as its equivalent in the V2 form:", _LINE, text + _LINE]
    if has_secrets(conversion):
        parts.append(f"{HIDDEN} stands for a secret, which the converted file has.")
    if conversion.notes:
        parts += ["What is different:", *map(str, conversion.notes)]
    parts.append(f"Write the converted file with: nnictl config convert {file} NEW.yml")
    return "\n".join(parts)


def v2_text(conversion: Conversion, *, secrets: bool, folder: Path | None = None) -> str:
    """Returns the V2 form of a V1 file as YAML.

    Args:
        conversion: The V2 form.
        secrets: Whether passwords, tokens and keys are in it.
        folder: Where it will be saved, if that is not the folder of the V1 file; relative paths then
            lead from there.
    """
    value: Any = conversion.document.value
    if folder is not None:
        value = _moved(value, Path(conversion.document.origin.file).absolute().parent, folder.absolute())
    return yaml_text(value if secrets else without_secrets(value))


def has_secrets(conversion: Conversion) -> bool:
    """Returns whether there are passwords, tokens or keys in a V1 file."""
    return bool(without_secrets(conversion.document.value) != conversion.document.value)


def _moved(value: Any, before: Path, now: Path) -> Any:
    if isinstance(value, list):
        return [_moved(element, before, now) for element in value]
    if not isinstance(value, dict):
        return value
    return {
        key: element
        if key in _FREE
        else _moved_path(element, before, now)
        if key in RELATIVE_PATHS
        else _moved(element, before, now)
        for key, element in value.items()
    }


def _moved_path(path: Any, before: Path, now: Path) -> Any:
    if before == now or not isinstance(path, str) or path.startswith("~") or Path(path).is_absolute():
        return path
    return os.path.relpath(before / path, now)
