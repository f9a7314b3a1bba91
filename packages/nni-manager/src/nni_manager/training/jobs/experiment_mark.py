"""What tells an experiment from all others that have the same id, elsewhere or earlier.

Ids are short, and a user may choose one. Where experiments of several machines meet, on a platform and in its
storage, the id alone is not enough. So each gets a mark, at random, when its folder is made. The mark lies in
that folder and goes wherever the folder goes. Folders of first versions have none.
"""

from __future__ import annotations

import re
import secrets
import string
from pathlib import Path

from nni_config.private_files import write_private_file

from nni_manager.training.interface import TrainingServiceError

FILE_NAME = "mark"

PATTERN = "[a-z][0-9][a-z0-9]{6}"
"""What a mark looks like. Beside numbers the letter tells it apart, beside words the digit."""


def make_mark(folder: Path) -> None:
    """Gives a mark to the experiment whose folder this is; one from before is replaced.

    Raises:
        OSError: It cannot be written.
    """
    letters, digits = string.ascii_lowercase, string.digits
    choices = [letters, digits, *[letters + digits] * 6]
    write_private_file(folder / FILE_NAME, "".join(map(secrets.choice, choices)) + "\n")


def read_mark(folder: Path) -> str:
    """Returns the mark of the experiment whose folder this is, "" where it was made without one.

    Raises:
        TrainingServiceError: There is one, and it cannot be read.
    """
    path = folder / FILE_NAME
    try:
        mark = path.read_bytes().decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise TrainingServiceError(f"{path} cannot be read: {error.strerror or error}") from error
    if not re.fullmatch(PATTERN, mark):
        raise TrainingServiceError(
            f"{path} holds {mark[:40]!r}; allowed is a letter, a digit and 6 letters or digits, all of them "
            "lower-case, as in the names of the experiment's jobs"
        )
    return mark
