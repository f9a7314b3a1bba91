"""The moments at which a test has the manager killed, to see that nothing is lost then.

NNI_CRASH_AT=NAME:COUNT kills it by SIGKILL when it comes to a point for the COUNT-th time, from 1. The points
are `before-X` and `after-X` for every effect and every moment X below. Nothing happens without the variable.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterable, Mapping

from nni_manager.engine import effects

VARIABLE = "NNI_CRASH_AT"
"""The environment variable that names the point."""

EFFECTS: Mapping[type[effects.Effect], str] = {
    effects.SaveExperiment: "save-experiment",
    effects.SaveTrial: "save-trial",
    effects.SaveMetrics: "save-metrics",
    effects.SaveTunerNotes: "save-tuner-notes",
    effects.SubmitTrial: "submit-trial",
    effects.AdoptTrial: "adopt-trial",
    effects.CancelTrial: "cancel-trial",
    effects.AcknowledgeReports: "acknowledge-reports",
    effects.ToTuner: "tell-tuner",
    effects.ToAssessor: "tell-assessor",
}
"""Every effect. Those that are stored count once for each commit that has one of the kind."""

MOMENTS = ("commit", "late-results", "heartbeat", "rebuild", "release")
"""What is no effect: any commit, the storing of late results, a commit that only says that we live, the
making of the algorithms at a start or a resume, the word to the training service that no trial is coming."""

NAMES = tuple(f"{when}-{what}" for what in (*EFFECTS.values(), *MOMENTS) for when in ("before", "after"))
"""Every point."""

_counts: Counter[str] = Counter()
_point, _count = "", 0


def read_environment() -> None:
    """Takes the point from the environment, out of which it goes: a trial's own manager is not meant.

    Raises:
        ValueError: It names no point, or no count.
    """
    global _point, _count
    text = os.environ.pop(VARIABLE, "")
    if not text:
        return
    name, _, count = text.partition(":")
    if name not in NAMES or not count.isdecimal() or int(count) < 1:
        raise ValueError(
            f"{VARIABLE}: {text!r} is not NAME:COUNT with a count from 1; names are {', '.join(NAMES)}"
        )
    _point, _count = name, int(count)


def before(*what: str) -> None:
    """Says that something is about to be done."""
    if _point:
        _reached(f"before-{each}" for each in what)


def after(*what: str) -> None:
    """Says that something was done."""
    if _point:
        _reached(f"after-{each}" for each in what)


def kinds(writes: Iterable[effects.Write]) -> tuple[str, ...]:
    """Returns the names of what a commit stores, each once."""
    return ("commit", *dict.fromkeys(EFFECTS[type(write)] for write in writes)) if _point else ()


def _reached(names: Iterable[str]) -> None:
    for name in names:
        _counts[name] += 1
        if (name, _counts[name]) == (_point, _count):
            os.kill(os.getpid(), signal.SIGKILL)
