"""nnictl config convert."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from nni_config import ExperimentConfig, InvalidConfigError
from nni_config.v1_conversion import Conversion


def convert_config(old: Path, new: Path | None, force: bool) -> None:
    """Writes a configuration file of NNI's V1 form in the V2 form.

    Args:
        old: The file in the V1 form.
        new: The file to write. None prints it, without secrets.
        force: Replace the file if there is one.

    Raises:
        ValueError: The file is not in the V1 form, or cannot be converted.
        FileExistsError: There is a file to be written already.
        OSError: A file cannot be read or written.
    """
    from nni_config.v1_notice import has_secrets, v2_text

    conversion = _conversion_of(old)
    for note in conversion.notes:
        print(note, file=sys.stderr)
    if new is None:
        print(v2_text(conversion, secrets=False), end="")
        if has_secrets(conversion):
            print(f"The secrets are not shown; name a file to have them: {old} NEW.yml", file=sys.stderr)
        return
    text = v2_text(conversion, secrets=True, folder=new.absolute().parent)
    _write(new, text, force, is_private=has_secrets(conversion))
    print(f"Wrote {new}")
    _warn_of_problems(new)


def _conversion_of(old: Path) -> Conversion:
    from nni_config.v1 import v1_conversion
    from nni_config.yaml_file import read_yaml

    document = read_yaml(old)
    conversion = v1_conversion(document)
    problems = document.problems if conversion is None else conversion.document.problems
    if problems:
        raise InvalidConfigError(sorted(problems, key=lambda problem: problem.line))
    if conversion is None:
        raise ValueError(
            f"{old} is not in NNI's V1 form (it has no trainingServicePlatform); nothing to convert"
        )
    return conversion


def _write(path: Path, text: str, force: bool, is_private: bool) -> None:
    from nni_config.private_files import write_private_file

    if not force or not path.exists():
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if is_private else 0o666)
        except FileExistsError:
            raise FileExistsError(f"{path} exists already; --force replaces it") from None
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    write_private_file(path, text)
    if not is_private:
        path.chmod(mode)


def _warn_of_problems(new: Path) -> None:
    """Says what is wrong with the converted file; it was so in the old one."""
    try:
        ExperimentConfig.load(new).validate()
    except InvalidConfigError as error:
        for problem in error.problems:
            print(f"WARNING: {problem}", file=sys.stderr)
