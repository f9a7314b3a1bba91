"""nnictl algo template."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def write_template(kind: str, path: Path | None) -> None:
    """Writes the template of an algorithm to a new file, and says how to use it.

    Args:
        kind: "tuner", "assessor" or "advisor".
        path: The file, or the folder of one named my_tuner.py; None for the working directory.

    Raises:
        FileExistsError: There is a file of that name.
        OSError: It cannot be written.
    """
    target = Path() if path is None else path
    if target.is_dir():
        target /= f"my_{kind}.py"
    if not target.stem.isidentifier() or target.suffix != ".py":
        raise ValueError(
            f"{target} is not a file that Python imports; allowed is a name such as my_{kind}.py"
        )
    text = resources.files("nni_client").joinpath("templates", f"{kind}.py").read_text(encoding="utf-8")
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise FileExistsError(
            f"{target.absolute()} exists already; choose another name with --path"
        ) from None
    class_name = f"My{kind.capitalize()}"
    print(f"{_article(kind)} {kind} that works, to be changed, is in {target.absolute()}.")
    print("In a configuration file:")
    print(f"  {kind}:")
    print(f"    className: {target.stem}.{class_name}")
    print(f"    codeDirectory: {target.absolute().parent}")
    print("In Python:")
    print(f"  from {target.stem} import {class_name}")
    print(f"  experiment.config.{kind} = {class_name}()")


def _article(word: str) -> str:
    return "An" if word[0] in "aeiou" else "A"
