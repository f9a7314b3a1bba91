"""How a tuner says that it has nothing more to try."""

from __future__ import annotations


class NoMoreTrialError(Exception):
    """The tuner has no more parameters, now or for good.

    Attributes:
        errorinfo: Why.
    """

    def __init__(self, ErrorInfo: str = "Search space fully explored") -> None:  # noqa: N803
        super().__init__(ErrorInfo)
        self.errorinfo = ErrorInfo
