"""What Azure's libraries raise, in plain words."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.platform import PlatformAwayError

SIGN_IN = (
    "sign in again on the manager's machine (az login), or give it a service principal or a managed identity"
)
"""What a person does whose sign-in is no longer taken."""

_PASSING = (408, 429)
_SECRETS = re.compile(r"(\bsig=|\bBearer\s+(?=\S{40})|AccountKey=)[^&\s\"';]+")
_TRIED = re.compile(r"^\t(\w+)Credential: (.+?)\.?$", re.MULTILINE)
_UNREACHED = re.compile(r"HTTPSConnection(?:Pool)?\(host='([^']+)'[^)]*\): ([^\n]+)")
"""How the library tells that the place to sign in is not reached; it does so among other ways that failed."""

_ADVICE = re.compile(r"\. (?:Visit|Please|See|You must|To mitigate)\b")
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why Azure did not do what was asked.

    Attributes:
        status: The HTTP status, 0 where there was no answer, or the library itself refused.
        code: Azure's name for the error, "" where it has none.
        message: One sentence.
        retry_after: After how many seconds it wants to be asked again, None where it says nothing.
        is_sign_in: Whether nobody is signed in, or who is is not believed any more.
        is_passing: Whether it may go away by itself.
    """

    status: int
    code: str
    message: str
    retry_after: float | None = None
    is_sign_in: bool = False
    is_passing: bool = False

    def __str__(self) -> str:
        details = ", ".join(filter(None, (self.code, f"HTTP {self.status}" if self.status else "")))
        return f"{self.message} ({details})" if details else self.message


class AzureRefusedError(Exception):
    """Azure did not do what was asked, and will not do it the next time either.

    Attributes:
        refusal: Why.
    """

    def __init__(self, refusal: Refusal) -> None:
        """Says why."""
        super().__init__(str(refusal))
        self.refusal = refusal


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turns what Azure's libraries raise into errors of ours, with no secret in them.

    Args:
        what: What was asked, for the messages: "the list of jobs".

    Raises:
        PlatformAwayError: It may be done later.
        AzureRefusedError: It will not be done.
    """
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        refusal = refusal_of(error)
    else:
        return
    # The cause would bring addresses and headers into every traceback.
    if refusal.is_sign_in:
        raise PlatformAwayError(f"{what}: {refusal}", can_be_repaired=SIGN_IN) from None
    if refusal.is_passing:
        raise PlatformAwayError(f"{what}: {refusal}", retry_after=refusal.retry_after) from None
    raise AzureRefusedError(refusal)


def refusal_of(error: Exception) -> Refusal:
    """Returns what an error of Azure's libraries says."""
    from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError

    status = getattr(error, "status_code", None) or 0
    is_unsigned = isinstance(error, ClientAuthenticationError) and status != 403
    if is_unsigned and status == 0 and (found := _UNREACHED.search(str(error))):
        words = _SECRETS.sub(r"\1******", found[2]).rstrip(".")[:_LONGEST]
        return Refusal(0, "", f"{found[1]}, which signs in, cannot be reached: {words}", is_passing=True)
    code, message = _words(error)
    return Refusal(
        status,
        code,
        message,
        _retry_after(error),
        is_sign_in=status == 401 or is_unsigned,
        is_passing=status in _PASSING
        or status >= 500
        or (status == 0 and isinstance(error, (ServiceRequestError, ServiceResponseError))),
    )


def start_error(place: str, refusal: Refusal) -> TrainingServiceError:
    """Returns why trials cannot run there, with what to do.

    Args:
        place: What was asked for: 'the workspace "w"'.
        refusal: What Azure said.
    """
    if refusal.is_sign_in:
        advice = f"; {SIGN_IN}"
    elif refusal.status == 403:
        advice = "; whoever is signed in needs the role AzureML Data Scientist, or Contributor, there"
    elif refusal.status == 404:
        advice = (
            "; allowed is one that is there and that whoever is signed in may see: look at subscription_id, "
            "resource_group, workspace_name and compute_target"
        )
    else:
        advice = ""
    return TrainingServiceError(f"{place}: {refusal}{advice}")


def _words(error: Exception) -> tuple[str, str]:
    """Returns Azure's name for an error, and its words for it in one line that is never empty."""
    details = getattr(error, "error", None)
    code = str(getattr(details, "code", None) or "")
    said = str(getattr(details, "message", None) or "")
    if details is None:
        other = _with_capitals(error)
        code, said = str(other.get("Code") or ""), str(other.get("Message") or "")
    tried = _TRIED.findall(str(error))
    if not said and tried:
        reasons = "; ".join(f"{name}: {_ADVICE.split(words)[0]}" for name, words in tried)
        return code, f"nobody is signed in to Azure on this machine. What was tried: {reasons}"
    said = said or str(getattr(error, "message", None) or error)
    line = next((line.strip() for line in said.splitlines() if line.strip()), "").rstrip(".")
    line = _SECRETS.sub(r"\1******", line)[:_LONGEST]
    reason = str(getattr(error, "reason", None) or "")
    return code, line or reason or f"it gave no reason ({type(error).__name__})"


def _with_capitals(error: Exception) -> Mapping[str, Any]:
    """Returns what MLflow's service says of an error, which writes the names of fields in another way."""
    try:
        found = error.response.json()["Error"]  # type: ignore[attr-defined]
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _retry_after(error: Exception) -> float | None:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    for name, unit in (("Retry-After", 1.0), ("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001)):
        try:
            return float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
    return None
