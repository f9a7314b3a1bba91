"""Who calls, and what rpc/ and web/ need to know about tokens and sign-in codes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Role(Enum):
    """What a token is good for."""

    MANAGER = "manager"
    VIEW = "view"
    TRIAL = "trial"
    JOB = "job"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call.

    Attributes:
        role: What its token is good for.
        trial_id: The trial that the token was made for; "" for other roles.
        job: The job that the token was made for; "" for other roles.
    """

    role: Role
    trial_id: str = ""
    job: str = ""

    @property
    def may_look(self) -> bool:
        """Whether it may look at the experiment."""
        return self.role in (Role.MANAGER, Role.VIEW)


class Authenticator(Protocol):
    """Recognises the tokens that this manager issued."""

    def caller(self, token: str) -> Caller | None:
        """Returns who a token belongs to, None for a token that is not ours."""


@dataclass(frozen=True, slots=True)
class SignInCode:
    """A code that signs one browser in, once.

    Attributes:
        code: The code.
        url: The page's address with the code in it.
        expires_at: When it stops working, in seconds since 1970.
    """

    code: str
    url: str
    expires_at: float


class SignInCodes(Protocol):
    """Issues and redeems sign-in codes."""

    def create(self, role: Role) -> SignInCode:
        """Returns a new code."""

    def redeem(self, code: str) -> Role | None:
        """Returns what a code is good for and forgets it; None when it is unknown, used or too old."""


class UnauthenticatedError(Exception):
    """The call has no token, or one that this manager did not issue."""


class PermissionDeniedError(Exception):
    """The token is good, but not for this call or not for this resource."""
