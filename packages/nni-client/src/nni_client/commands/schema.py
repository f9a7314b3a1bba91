"""nnictl config schema."""

from __future__ import annotations

import json
from pathlib import Path


def write_schema(output: Path | None, force: bool) -> None:
    """Writes the JSON Schema of configuration files.

    Args:
        output: The file to write. None prints it.
        force: Replace the file if there is one.

    Raises:
        FileExistsError: There is a file to be written already.
        OSError: The file cannot be written.
    """
    from nni_config.json_schema import experiment_schema

    text = json.dumps(experiment_schema(), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        print(text, end="")
        return
    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise FileExistsError(f"{output} exists already; --force replaces it") from None
    print(f"Wrote {output}")
