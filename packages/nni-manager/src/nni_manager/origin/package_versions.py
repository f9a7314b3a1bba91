"""Which versions of packages are installed beside the manager."""

from __future__ import annotations

import logging
import platform
import re

PYTHON = "python"
"""The name under which the interpreter's version is listed."""

_LOG = logging.getLogger(__name__)


def package_versions() -> dict[str, str]:
    """Returns the version of each distribution in the manager's environment, and of Python, by sorted name.

    Names are in the normal form: lower case, with single hyphens. It takes about a millisecond for each.
    """
    from importlib.metadata import distributions

    versions = {PYTHON: platform.python_version()}
    for distribution in distributions():
        try:
            name, version = distribution.metadata["Name"], distribution.version
        except Exception as error:  # a damaged installation is no reason to stop, whatever is damaged
            _LOG.info("a package is not recorded: %s", error)
            continue
        if name and version:
            # The first one found on the path is the one that is imported.
            versions.setdefault(re.sub(r"[-_.]+", "-", name).lower(), version)
    return dict(sorted(versions.items()))
