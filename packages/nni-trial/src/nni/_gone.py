"""What NNI had and this version has not."""

from __future__ import annotations


def gone(module: str, what: str) -> ImportError:
    """Returns the error of importing a module that is no longer there.

    Args:
        module: Its name.
        what: What it was for.
    """
    return ImportError(
        f"{module} was for {what}. This version of nni is for hyper-parameter tuning and does not have it; "
        "its last release with it is nni 3.0, which needs an environment of its own",
        name=module,
    )
