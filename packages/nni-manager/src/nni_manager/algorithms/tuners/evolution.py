"""Evolution of a population."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from nni_manager.algorithms.hpo_utils import Deduplicator, deformat_parameters, format_search_space
from nni_manager.algorithms.hpo_utils.deduplicator import parameters_name
from nni_manager.algorithms.hpo_utils.formatting import format_known_parameters
from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters, ParameterKey, ParameterSpec
from nni_manager.algorithms.learning_tuner import LearningTuner
from nni_manager.algorithms.tuners.random import suggest, suggest_parameter
from nni_manager.algorithms.typehint import Parameters, SearchSpace

_MUTATIONS = 20
_FAR = 0.5
"""How often a number is drawn anew rather than moved."""

_STEPS = (-2.0, -0.5)
"""Powers of ten, as parts of the range: how far numbers are moved. With these the search came nearer to the
optima of six functions than with numbers drawn anew, for populations of 10 and of 32."""


class Individual(NamedTuple):
    """A finished trial that is alive.

    Attributes:
        parameters: Its formatted parameters.
        loss: Its result, the smaller the better.
    """

    parameters: FormattedParameters
    loss: float


class EvolutionTuner(LearningTuner):
    """Lets a population evolve: of two individuals the worse dies, and the better has a mutated child.

    Real et al., "Large-Scale Evolution of Image Classifiers", ICML 2017, section 3.1: two individuals are
    drawn from the population; the worse of the two is removed, the better one is copied, and the copy mutated
    and put back once its result is known. A mutation changes one parameter: to another option, or to a number
    that is drawn anew or lies near the old one, one as often as the other. Parameters that become active with
    an option are drawn.

    Individuals are drawn at random as long as fewer than `population_size` trials are alive or running, so
    also in place of trials that failed or were stopped without a result, and whenever none is alive. If more
    are alive than `population_size`, since more trials run at once or results came from elsewhere, the worst
    die. A result of NaN is the worst there is. Imported results and those of parameters that a user chose
    join the population. Results of trials that are not running, and second results of one, are logged and
    ignored. No parameters come twice unless twenty mutations in a row lead to known ones; in a finite search
    space they never do, and NoMoreTrialError is raised once all were proposed.

    Args:
        optimize_mode: "minimize" or "maximize".
        population_size: How many individuals are alive, running trials included.
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.
    """

    def __init__(
        self, optimize_mode: str = "maximize", population_size: int = 32, seed: int | None = None
    ) -> None:
        super().__init__(optimize_mode, seed)
        self._population_size = population_size
        self._population: list[Individual] = []
        self._running: dict[int, FormattedParameters] = {}
        self._take_space({})

    def update_search_space(self, search_space: SearchSpace) -> None:
        """Takes the search space; individuals keep what is still in it, and what is new is drawn for them."""
        old_space, population, running = self._space, self._population, self._running
        self._take_space(search_space)
        self._population, self._running = [], {}
        for individual in population:
            self._learn(deformat_parameters(individual.parameters, old_space), individual.loss)
        for parameter_id, chosen in running.items():
            self._running[parameter_id] = self._note(deformat_parameters(chosen, old_space))

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> Parameters:
        """Returns a random individual, or a mutated child of a good one.

        Raises:
            NoMoreTrialError: The whole search space was proposed.
        """
        rng = self._rng(parameter_id)
        parent, loser = self._tournament(rng)
        chosen = mutate(rng, self._space, parent.parameters) if parent else suggest(rng, self._space)
        for _ in range(_MUTATIONS):
            if self._is_new(chosen):
                break
            chosen = mutate(rng, self._space, chosen)
        parameters = deformat_parameters(self._deduplicator(chosen), self._space)
        self._start(parameter_id, parameters, loser)
        return parameters

    def restore_proposal(self, parameter_id: int, parameters: Parameters) -> None:
        """Takes note that a trial runs with these parameters, and removes who died when it was proposed."""
        _, loser = self._tournament(self._rng(parameter_id))
        self._start(parameter_id, parameters, loser)

    def _take_space(self, search_space: SearchSpace) -> None:
        self._space = format_search_space(search_space)
        self._deduplicator = Deduplicator(self._space)
        self._seen: set[bytes] = set()

    def _tournament(self, rng: np.random.Generator) -> tuple[Individual | None, int | None]:
        """Returns who is to have a child and the index of who dies for it; None for nobody."""
        count = len(self._population)
        if count == 0 or count + len(self._running) < self._population_size:
            return None, None
        if count == 1:
            return self._population[0], None
        first, second = (int(index) for index in rng.choice(count, size=2, replace=False))
        if self._population[second].loss < self._population[first].loss:
            first, second = second, first
        return self._population[first], second

    def _start(self, parameter_id: int, parameters: Parameters, loser: int | None) -> None:
        self._running[parameter_id] = self._note(parameters)
        if loser is not None:
            del self._population[loser]

    def _forget(self, parameter_id: int) -> bool:
        return self._running.pop(parameter_id, None) is not None

    def _learn(self, parameters: Parameters, loss: float) -> bool:
        """Lets a finished trial join the population; returns False if it has nothing of the search space."""
        chosen = self._note(parameters)
        if not chosen:
            return False
        self._population.append(Individual(chosen, loss))
        if len(self._population) > self._population_size:
            worst = max(range(len(self._population)), key=lambda index: self._population[index].loss)
            del self._population[worst]
        return True

    def _note(self, parameters: Parameters) -> FormattedParameters:
        """Notes parameters as known, and returns what of them is in the search space."""
        chosen = format_known_parameters(parameters, self._space)
        self._deduplicator.add_history(chosen)
        if self._deduplicator.never_repeats:
            self._seen.add(self._digest(chosen))
        return chosen

    def _is_new(self, chosen: FormattedParameters) -> bool:
        if self._deduplicator.never_repeats:
            return self._digest(chosen) not in self._seen
        return self._deduplicator.is_new(chosen)

    def _digest(self, chosen: FormattedParameters) -> bytes:
        text = parameters_name(deformat_parameters(chosen, self._space))
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def mutate(
    rng: np.random.Generator,
    space: Mapping[ParameterKey, ParameterSpec],
    parent: Mapping[ParameterKey, Any],
) -> FormattedParameters:
    """Returns parameters of which one is another than the parent's; those that it lacks are drawn."""
    changeable = [key for key in parent if not space[key].is_fixed()]
    changed = changeable[rng.integers(len(changeable))] if changeable else None
    child: FormattedParameters = {}
    for key, spec in space.items():
        if spec.is_activated_in(child):
            if key == changed:
                child[key] = _mutated(rng, spec, parent[key])
            else:
                child[key] = parent[key] if key in parent else suggest_parameter(rng, spec)
    return child


def _mutated(rng: np.random.Generator, spec: ParameterSpec, value: Any) -> Any:
    if spec.type == "choice":
        other = int(rng.integers((spec.size or 0) - 1))
        return other + (other >= value)
    if rng.uniform() < _FAR:
        return suggest_parameter(rng, spec)
    step = rng.normal() * 10.0 ** rng.uniform(*_STEPS)
    if spec.normal_distributed:
        return value + step * (spec.sigma or 0.0)
    low, high = (0, (spec.size or 1) - 1) if spec.categorical else (spec.low or 0.0, spec.high or 0.0)
    moved = value + step * (high - low)
    if not spec.categorical:
        return float(min(max(moved, low), high))
    whole = round(moved) if round(moved) != value else value + (1 if step > 0 else -1)
    return min(max(whole, low), high)
