"""Microsoft's nni installed into the same folder as ours."""

from __future__ import annotations

import sys


def microsoft_nni_problem() -> str | None:
    """Returns what is wrong and how to repair it if Microsoft's nni is installed beside ours, else None.

    Both own the folder `nni`, and pip merges the two without a word.
    """
    from importlib import metadata

    try:
        foreign = metadata.distribution("nni")
    except metadata.PackageNotFoundError:
        return None
    files = foreign.files
    if files is not None and not any(file.as_posix() == "nni/__init__.py" for file in files):
        return None
    pip = f"{sys.executable} -m pip"
    return (
        f"Microsoft's nni {foreign.version} is installed beside nni-trial. Both have the folder `nni`, so "
        "files of one have replaced files of the other. Repair it with\n"
        f"    {pip} uninstall --yes nni\n"
        f"    {pip} install --force-reinstall --no-deps nni-trial"
    )
