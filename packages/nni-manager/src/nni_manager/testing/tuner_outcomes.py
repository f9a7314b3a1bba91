"""What becomes of the search when something happens to a trial, seen in what a tuner proposes afterwards.

A tuner is compared with twins: the same one, with the same trials before, to whose last trial something else
happened. Two that propose the same from then on have made the same of it. Results are maximized.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nni_manager.algorithms.successive_halving.checks import BUDGET
from nni_manager.algorithms.tuner import Tuner
from nni_manager.engine.statuses import TrialStatus
from nni_manager.testing.tuner_story import TunerStory

BEFORE = 12
"""How many trials have results before the one that something happens to."""

_FAR = 1e6
_OWN = 1000
_REQUESTS = 300
_AT_ONCE = 3

Event = Callable[[TunerStory, Any], None]
"""Lets something happen to the trial BEFORE, which has these parameters."""


@dataclass(frozen=True)
class Subject:
    """A tuner that is observed.

    Attributes:
        make: Makes one that maximizes, always with the same seed. It uses its model from BEFORE results on.
        space: Its search space, in which it proposes nothing twice by chance.
        finite_space: A search space of a few points, to be searched to the end.
        own: Parameters that a user might choose in `space`.
        follow: How many trials are looked at afterwards.
    """

    make: Callable[[], Tuner]
    space: dict[str, Any]
    finite_space: dict[str, Any]
    own: Any
    follow: int


class TunerOutcomes:
    """Observes one tuner. Each method returns a word, which outcome_table.py explains.

    Raises:
        AssertionError: What it does fits no word.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._followed: dict[str, list[Any]] = {}
        self._best, self._worst = self._known_values()
        self._bests = [self._after_result("far better", _FAR), self._after_result("best", self._best)]
        self._worsts = [self._after_result("far worse", -_FAR), self._after_result("worst", self._worst)]
        self._is_blind = self._bests[0] == self._worsts[0]

    def ended(self, status: TrialStatus) -> str:
        """A trial ends without a final result."""

        def event(story: TunerStory, parameters: Any) -> None:
            story.end(BEFORE, status)

        return self._word_of_none(self._after(f"ended as {status.value}", event))

    def reports_intermediate_alone(self) -> str:
        """A trial succeeds, with an intermediate result and without a final one."""

        def event(story: TunerStory, parameters: Any) -> None:
            story.report_intermediate(BEFORE, _FAR)
            story.end(BEFORE)

        followed = self._after("intermediate", event)
        if not self._is_blind and followed == self._bests[0]:
            return "last counts"
        return self._word_of_none(followed)

    def reports_no_number(self) -> str:
        """A trial has a final result in which there is no number."""

        def event(story: TunerStory, parameters: Any) -> None:
            story.report(BEFORE, parameters, {"accuracy": 0.9})
            story.end(BEFORE)

        with logged() as texts:
            followed = self._after("no number", event)
        word = self._word_of_none(followed)
        return f"{word}, logged" if is_ignored(texts) else word

    def fails_after_its_result(self) -> str:
        """A trial reports a final result, and then fails."""

        def event(story: TunerStory, parameters: Any) -> None:
            story.report(BEFORE, parameters, _FAR)
            story.end(BEFORE, TrialStatus.FAILED)

        followed = self._after("failed after its result", event)
        if self._is_blind:
            return self._word_of_none(followed)
        return "counts" if followed == self._bests[0] else self._word_of_none(followed)

    def reports_nan(self) -> str:
        """A trial's result is NaN."""
        return self._word_of_none(self._after_result("NaN", math.nan))

    def reports_infinities(self) -> str:
        """A trial's result is infinite, on either side."""
        better, worse = self._after_result("+inf", math.inf), self._after_result("-inf", -math.inf)
        if self._is_blind:
            return self._word_of_none(better)
        assert better in self._bests, "an infinite result on the good side is not the best"
        assert worse in self._worsts, "an infinite result on the bad side is not the worst"
        return "best or worst"

    def reports_late(self) -> str:
        """A result comes after the end of its trial, which was canceled, or there never was such a trial."""

        def canceled(story: TunerStory, parameters: Any) -> None:
            story.end(BEFORE, TrialStatus.USER_CANCELED)

        def late(story: TunerStory, parameters: Any) -> None:
            canceled(story, parameters)
            story.report(BEFORE, parameters, _FAR)
            story.end(BEFORE)

        def unknown(story: TunerStory, parameters: Any) -> None:
            canceled(story, parameters)
            story.report(_OWN, parameters, _FAR)
            story.end(_OWN)

        before = self._after("canceled", canceled)
        return self._same(
            self._word_of_ignored(before, "late", late), self._word_of_ignored(before, "?", unknown)
        )

    def reports_twice(self) -> str:
        """A trial has two final results, the second one before or after its end."""

        def once(story: TunerStory, parameters: Any) -> None:
            story.finish(BEFORE, self._worst)

        def twice(story: TunerStory, parameters: Any) -> None:
            story.report(BEFORE, parameters, self._worst)
            story.report(BEFORE, parameters, _FAR)
            story.end(BEFORE)

        def once_more(story: TunerStory, parameters: Any) -> None:
            once(story, parameters)
            story.report(BEFORE, parameters, _FAR)
            story.end(BEFORE)

        before = self._after("worst", once)
        return self._same(
            self._word_of_ignored(before, "twice", twice), self._word_of_ignored(before, "more", once_more)
        )

    def hears_of_customized(self) -> str:
        """A trial with parameters that a user chose has a result."""
        with logged() as texts:
            first, second = (self._after_customized(value) for value in (_FAR, -_FAR))
        story, tried = self._in_finite_space(), _first_point(self._subject)
        story.report(None, tried, 1.0)
        story.end(None)
        return self._word_of_own(first != second, story, tried, texts)

    def takes_over(self) -> str:
        """Results of another experiment are imported before the first trial."""
        records = self._records()
        reversed_ones = [{**record, "value": -record["value"]} for record in records]
        with logged() as texts:
            first, second = (self._after_import(told) for told in (records, reversed_ones))
        story, tried = self._in_finite_space(), _first_point(self._subject)
        story.take_over([{"parameter": tried, "value": 1.0}])
        return self._word_of_own(first != second, story, tried, texts)

    def repeats(self) -> str:
        """A finite search space is searched to its end, several trials at once, some of which fail."""
        story = self._in_finite_space()
        if not _search(story):
            return "yes"
        proposed = [parameters for parameters in story.proposals if parameters is not None]
        if not any(isinstance(parameters, dict) and BUDGET in parameters for parameters in proposed):
            assert len({name(parameters) for parameters in proposed}) == len(proposed), (
                "parameters come twice"
            )
            return "never"
        # No trial goes on to the smallest budget.
        smallest = min(parameters[BUDGET] for parameters in proposed)
        new = [name(parameters) for parameters in proposed if parameters[BUDGET] == smallest]
        assert len(set(new)) == len(new), "parameters come twice with the same budget"
        return "with more budget"

    def _word_of_none(self, followed: list[Any]) -> str:
        """Returns what became of a trial that taught nothing good, or nothing at all."""
        if self._is_blind:
            assert followed == self._bests[0], "it matters although results do not"
            return "no effect"
        assert followed not in self._bests, "the trial counts as a good one"
        if followed in self._worsts:
            return "worst"
        if followed == self._absent():
            return "left out"
        assert followed != self._running(), "the trial still counts as running"
        assert name(followed[0]) == name(self._fresh()), "what it proposes is like nothing known"
        return "replaced"

    def _word_of_ignored(self, before: list[Any], label: str, event: Event) -> str:
        with logged() as texts:
            followed = self._after(f"ignored {label}", event)
        assert followed == before, "it changes what is proposed"
        if self._is_blind:
            return "no effect"
        assert is_ignored(texts), "it is ignored without a word"
        return "ignored, logged"

    def _word_of_own(self, is_learned: bool, story: TunerStory, tried: Any, texts: list[str]) -> str:
        """Returns what became of parameters that it had not proposed; some were tried in the story."""
        _search(story)
        if name(tried) not in map(name, story.proposals):
            return "learned" if is_learned else "counts as tried"
        if is_learned:
            assert self.repeats() == "yes", "what was learned is proposed again"
            return "learned"
        assert is_ignored(texts), "it is ignored without a word"
        return "ignored, logged"

    def _same(self, *words: str) -> str:
        assert len(set(words)) == 1, words
        return words[0]

    def _begun(self) -> TunerStory:
        """Returns one with BEFORE finished trials."""
        tuner = self._subject.make()
        tuner.update_search_space(self._subject.space)
        story = TunerStory(tuner)
        for parameter_id in range(BEFORE):
            story.ask(parameter_id)
        while story.running:
            parameter_id = min(story.running)
            story.finish(parameter_id, objective(story.running[parameter_id]))
        return story

    def _known_values(self) -> tuple[float, float]:
        values = [objective(parameters) for parameters in self._begun().proposals if parameters is not None]
        return max(values), min(values)

    def _after(self, label: str, event: Event) -> list[Any]:
        """Returns what is proposed once something has happened to a trial."""
        if label not in self._followed or label.startswith("ignored") or label == "no number":
            story = self._begun()
            event(story, story.ask(BEFORE))
            self._followed[label] = self._follow(story)
        return self._followed[label]

    def _after_result(self, label: str, value: float) -> list[Any]:
        return self._after(label, lambda story, _: story.finish(BEFORE, value))

    def _running(self) -> list[Any]:
        return self._after("running", lambda story, _: None)

    def _absent(self) -> list[Any]:
        """Returns what is proposed where there never was such a trial."""
        if "absent" not in self._followed:
            self._followed["absent"] = self._follow(self._begun())
        return self._followed["absent"]

    def _fresh(self) -> Any:
        """Returns what one proposes that knows nothing."""
        tuner = self._subject.make()
        tuner.update_search_space(self._subject.space)
        return TunerStory(tuner).ask(BEFORE + 1)

    def _after_customized(self, value: float) -> list[Any]:
        story = self._begun()
        story.report(None, self._subject.own, value)
        story.end(None)
        return self._follow(story)

    def _after_import(self, records: list[dict[str, Any]]) -> list[Any]:
        tuner = self._subject.make()
        tuner.update_search_space(self._subject.space)
        story = TunerStory(tuner)
        story.take_over(records)
        return self._follow(story)

    def _records(self) -> list[dict[str, Any]]:
        proposed = [parameters for parameters in self._begun().proposals if parameters is not None]
        return [{"parameter": parameters, "value": objective(parameters)} for parameters in proposed]

    def _follow(self, story: TunerStory) -> list[Any]:
        """Returns what comes next; each trial has its result before the next one is asked for."""
        start = len(story.proposals)
        for parameter_id in range(BEFORE + 1, BEFORE + 1 + self._subject.follow):
            parameters = story.ask(parameter_id)
            if parameters is not None:
                story.finish(parameter_id, objective(parameters))
        return json.loads(json.dumps(story.proposals[start:]))  # type: ignore[no-any-return]

    def _in_finite_space(self) -> TunerStory:
        tuner = self._subject.make()
        tuner.update_search_space(self._subject.finite_space)
        return TunerStory(tuner)


def objective(parameters: Any) -> float:
    """Returns the result of a trial: a different one for each place."""
    if not isinstance(parameters, dict):
        return float(parameters)
    bonus = 0.5 if parameters["kind"] == "a" else 0.0
    return bonus - (float(parameters["x"]) - 3.0) ** 2


def name(parameters: Any) -> str:
    """Returns a text that is the same for equal parameters."""
    return json.dumps(parameters, sort_keys=True)


@contextmanager
def logged() -> Iterator[list[str]]:
    """Collects the warnings of algorithms."""
    texts: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: texts.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("nni_manager")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    try:
        yield texts
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


def is_ignored(texts: list[str]) -> bool:
    """Returns whether warnings say that something is ignored."""
    return any("ignored" in text for text in texts)


def _search(story: TunerStory) -> bool:
    """Asks until there is nothing more and returns True, or False if that seems never to be.

    Three trials run at once, and every fourth one fails.
    """
    for parameter_id in range(_REQUESTS):
        parameters = story.ask(parameter_id)
        if parameters is None and not story.running:
            return True
        if len(story.running) >= _AT_ONCE or parameters is None:
            ended = min(story.running)
            if ended % 4 == 3:
                story.end(ended, TrialStatus.FAILED)
            else:
                story.finish(ended, float(ended))
    return False


def _first_point(subject: Subject) -> Any:
    """Returns a point of the finite search space: the first one that is proposed there."""
    tuner = subject.make()
    tuner.update_search_space(subject.finite_space)
    return TunerStory(tuner).ask(0)
