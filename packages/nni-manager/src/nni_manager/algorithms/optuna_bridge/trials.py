"""The trials as Optuna sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from optuna import logging
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study, create_study
from optuna.trial import FrozenTrial, TrialState, create_trial

from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters, ParameterKey
from nni_manager.algorithms.optuna_bridge.dimensions import Dimensions


class Draft:
    """What a sampler drew.

    Attributes:
        chosen: The formatted parameters.
        notes: What the sampler keeps with the trial.
    """

    def __init__(self, chosen: FormattedParameters, notes: Mapping[str, Any]) -> None:
        self.chosen = chosen
        self.notes = notes


class Trials:
    """A study in memory that minimises.

    What a sampler draws is not always what a trial gets: values are rounded, and what came before is
    replaced. So a sampler draws for a trial that fails at once, which no sampler learns from, and the trial
    itself is added with the parameters that it has, as it is when they are those of an earlier life.

    Args:
        dimensions: The search space.
        notes_in_trials: Whether what the sampler keeps with a trial is kept.
    """

    def __init__(self, dimensions: Dimensions, notes_in_trials: bool) -> None:
        self._dimensions = dimensions
        self._distributions = dimensions.distributions
        self._notes_in_trials = notes_in_trials
        self._study = new_study(RandomSampler(0))

    def draw(self, sampler: BaseSampler) -> Draft:
        """Lets a sampler draw parameters."""
        self._study.sampler = sampler
        trial = self._study.ask()
        chosen = self._dimensions.suggest(trial)
        notes = self._get(trial.number).system_attrs if self._notes_in_trials else {}
        self._study.tell(trial, state=TrialState.FAIL)
        return Draft(chosen, dict(notes))

    def start(self, chosen: Mapping[ParameterKey, Any], notes: Mapping[str, Any]) -> int:
        """Adds a trial that runs.

        Args:
            chosen: Its formatted parameters.
            notes: What the sampler keeps with it.

        Returns:
            Its number.
        """
        return self._add(chosen, state=TrialState.RUNNING, system_attrs=dict(notes))

    def finish(self, number: int, loss: float | None) -> None:
        """Ends a trial that runs.

        Args:
            number: Its number.
            loss: Its result, None when it has none.
        """
        if loss is None:
            self._study.tell(number, state=TrialState.FAIL)
        else:
            self._study.tell(number, loss)

    def add(self, chosen: Mapping[ParameterKey, Any], loss: float) -> None:
        """Adds a trial that has a result."""
        self._add(chosen, value=loss)

    def is_of(self, number: int, chosen: Mapping[ParameterKey, Any]) -> bool:
        """Returns whether a trial has these parameters."""
        return self._get(number).params == self._dimensions.encode(chosen)

    def parameters(self, number: int) -> FormattedParameters:
        """Returns the formatted parameters of a trial."""
        return self._dimensions.decode(self._get(number).params)

    def finished(self) -> Iterator[tuple[FormattedParameters, float]]:
        """Yields the formatted parameters and results of all trials that have one, in order."""
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            assert trial.value is not None
            yield self._dimensions.decode(trial.params), trial.value

    def _add(self, chosen: Mapping[ParameterKey, Any], **facts: Any) -> int:
        numbers = self._dimensions.encode(chosen)
        distributions = {name: self._distributions[name] for name in numbers}
        self._study.add_trial(create_trial(params=numbers, distributions=distributions, **facts))
        return len(self._study.get_trials(deepcopy=False)) - 1

    def _get(self, number: int) -> FrozenTrial:
        return self._study.get_trials(deepcopy=False)[number]


def new_study(sampler: BaseSampler) -> Study:
    """Returns a study in memory that minimises; Optuna does not log that it is there."""
    level = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        return create_study(sampler=sampler)
    finally:
        logging.set_verbosity(level)
