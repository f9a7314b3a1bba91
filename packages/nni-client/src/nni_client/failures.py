"""Why trials failed, those with the same reason together."""

from __future__ import annotations

from collections import Counter

from nni_proto.v1.experiment_service_pb2 import ListTrialsRequest
from nni_proto.v1.trial_pb2 import Trial

from nni_client import words
from nni_client.connection import Session
from nni_client.methods import LIST_TRIALS

_PAGES = 10
_LINES = 5
_LONGEST_LINE = 100


def failure_reasons(session: Session, name: str) -> list[str]:
    """Returns the reasons why trials failed, as "3 failed: exit code 1 (ValueError: x)", most frequent first.

    Of very many failed trials the first ones are looked at, and of many reasons the most frequent are named.

    Args:
        session: The way to the manager.
        name: The experiment, experiments/{experiment}.
    """
    reasons: Counter[str] = Counter()
    token = ""
    for _ in range(_PAGES):
        request = ListTrialsRequest(parent=name, statuses=[Trial.STATUS_FAILED], page_token=token)
        page = session.call(LIST_TRIALS, request)
        reasons.update(map(reason_of, page.trials))
        token = page.next_page_token
        if not token:
            break
    lines = [f"{count} failed: {reason}" for reason, count in reasons.most_common(_LINES)]
    rest = reasons.total() - sum(count for _, count in reasons.most_common(_LINES))
    if rest:
        lines.append(f"{rest} failed for other reasons")
    return lines


def reason_of(trial: Trial) -> str:
    """Returns why a trial failed: how it ended, and its last words."""
    last = [line.strip() for line in trial.end_reason.stderr_tail.splitlines() if line.strip()][-1:]
    text = words.how_it_failed(trial)
    if not last:
        return text
    line = last[0] if last[0].isprintable() else repr(last[0])
    return f"{text} ({line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 3] + '...'})"
