"""The check that Microsoft's nni is not installed into the same folder."""

from __future__ import annotations


def refuse_foreign_nni() -> None:
    """Checks that Microsoft's nni is not installed into the same folder.

    Raises:
        RuntimeError: It is; the text says how to repair it.
    """
    from nni._foreign import microsoft_nni_problem

    problem = microsoft_nni_problem()
    if problem is not None:
        raise RuntimeError(problem)
