"""Population based training."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from nni import NoMoreTrialError

from nni_manager.algorithms.built_in_tuner import BuiltInTuner, result_name
from nni_manager.algorithms.hpo_utils import deformat_parameters, format_search_space
from nni_manager.algorithms.hpo_utils.formatting import format_known_parameters
from nni_manager.algorithms.hpo_utils.parameter_spec import ParameterKey, ParameterSpec
from nni_manager.algorithms.population.checkpoints import (
    LOAD,
    SAVE,
    checkpoint_of,
    make_checkpoint,
    place_of,
    without_checkpoints,
)
from nni_manager.algorithms.population.generation import Generation, Member, winners_and_losers
from nni_manager.algorithms.population.imported import last_whole_generation
from nni_manager.algorithms.population.perturbation import completed, perturbed
from nni_manager.algorithms.results import OptimizeMode
from nni_manager.algorithms.typehint import Parameters, SearchSpace, TrialMetric, TrialRecord

_logger = logging.getLogger(__name__)

LaterCallback = Callable[[int, Parameters], None]
"""Takes parameters under an id that was asked for before."""

_NEEDS_CALLBACK = (
    "PBT hands in parameters later, when a generation has ended: "
    "generate_multiple_parameters(parameter_id_list, st_callback=f) calls f(parameter_id, parameters) then"
)


class PBTTuner(BuiltInTuner):
    """Trains a population in generations; between two of them the worst members copy the best ones.

    Jaderberg et al., "Population Based Training of Neural Networks", 2017, in the synchronous form: every
    member trains in one trial a generation. The trial loads what is in `load_checkpoint_dir`, trains on,
    saves to `save_checkpoint_dir`, and reports its result. When all trials of a generation have ended, the
    worst members take over checkpoint and parameters of one of the best, drawn at random (exploit), and
    change the parameters (explore): each is drawn anew with `resample_probability`, and otherwise goes a
    step up or down. The others go on as they are. In the first generation both directories are the same, and
    nothing is in them.

    A trial that failed, was stopped, or ended without a number as its result counts as the worst, whatever it
    reported before, since its checkpoint may not be whole: its member copies a good one. One that failed in
    the first generation starts anew. If a whole generation fails, its members are tried again with changed
    parameters from the checkpoints that they had loaded. NaN is the worst result of those that did not fail.
    Results of parameters that a user chose are ignored, since no checkpoint of the population is behind them.
    Parameters may come twice: the same ones train on.

    What is asked for while a generation runs is handed in with `st_callback` when the next one starts.

    Args:
        optimize_mode: "minimize" or "maximize".
        all_checkpoint_dir: The folder of the checkpoints, `<folder>/<member>/<generation>`, which every trial
            can reach. None for the experiment's own, in NNI_CHECKPOINT_DIRECTORY.
        population_size: How many members there are.
        factor: How far a step goes: a part of the range, of that of the logarithm for log types, or of sigma.
            Options, integers and quantised types go to their neighbour.
        resample_probability: How probable it is that a parameter is drawn anew instead.
        fraction: Which part of the population copies, and is copied, at most half.
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.

    Raises:
        ValueError: There is no folder for checkpoints.
    """

    def __init__(
        self,
        optimize_mode: str = "maximize",
        all_checkpoint_dir: str | None = None,
        population_size: int = 10,
        factor: float = 0.2,
        resample_probability: float = 0.25,
        fraction: float = 0.2,
        seed: int | None = None,
    ) -> None:
        super().__init__(seed)
        self._mode = OptimizeMode(optimize_mode)
        self._folder = _checkpoint_folder(all_checkpoint_dir)
        self._size = population_size
        self._factor = factor
        self._resample_probability = resample_probability
        self._fraction = fraction
        self._space: dict[ParameterKey, ParameterSpec] = {}
        self._space_number = 0
        self._generation = Generation(0, [])
        self._owed: deque[int] = deque()
        self._hand_in_later: LaterCallback | None = None

    def update_search_space(self, search_space: SearchSpace) -> None:
        """Takes the search space; members keep what is still in it, and the rest is drawn."""
        self._space = format_search_space(search_space)
        self._space_number += 1
        if not self._generation.members:
            members = [self._new_member(index, 0) for index in range(self._size)]
            self._generation = Generation(0, members, deque(range(self._size)))

    def generate_multiple_parameters(self, parameter_id_list: list[int], **kwargs: Any) -> list[Parameters]:
        """Returns parameters for members of the generation that have no trial yet.

        Args:
            parameter_id_list: One id for each set of parameters asked for.
            **kwargs: `st_callback(parameter_id, parameters)`, with which parameters are handed in for the
                ids that there were none for, once the next generation starts.

        Raises:
            TypeError: There is no st_callback.
        """
        if not callable(kwargs.get("st_callback")):
            raise TypeError(_NEEDS_CALLBACK)
        result = []
        for parameter_id in parameter_id_list:
            try:
                result.append(self.generate_parameters(parameter_id, **kwargs))
            except NoMoreTrialError as error:
                _logger.debug("No parameters for id %s: %s", parameter_id, error)
        return result

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> Parameters:
        """Returns the parameters of the next member that has no trial yet, and makes its directories.

        Raises:
            NoMoreTrialError: All have one. With st_callback the parameters come later.
        """
        self._hand_in_later = kwargs.get("st_callback", self._hand_in_later)
        generation = self._generation
        if generation.free:
            return self._hand_out(parameter_id)
        if self._hand_in_later is not None:
            self._owed.append(parameter_id)
        raise NoMoreTrialError(self.why_no_parameters)

    @property
    def why_no_parameters(self) -> str:
        """What people are shown while a generation is awaited."""
        number = self._generation.number
        return f"generation {number + 1} starts when all trials of generation {number} have ended"

    def restore_proposal(self, parameter_id: int, parameters: Parameters) -> None:
        """Takes note that a trial of the member and the generation in these parameters runs."""
        place = place_of(parameters)
        if parameter_id in self._owed:
            self._owed.remove(parameter_id)
        if place is None or place[0] >= self._size or place[1] != self._generation.number:
            what = f"the parameters of id {parameter_id}"
            self._ignore(what, f"they are not of generation {self._generation.number}")
            return
        member = self._generation.hand_out(parameter_id, place[0])
        member.parameters = without_checkpoints(parameters)
        member.space_number = self._space_number

    def restore_refusal(self, parameter_ids: list[int], st_callback: LaterCallback) -> None:
        """Takes note of ids that an earlier instance had no parameters for, and still owes them.

        Args:
            parameter_ids: The ids.
            st_callback: What parameters are handed in with.
        """
        self._hand_in_later = st_callback
        self._owed.extend(parameter_ids)

    def receive_trial_result(
        self, parameter_id: int | None, parameters: Parameters, value: TrialMetric, **kwargs: Any
    ) -> None:
        """Takes the result of a member that trains; the first one counts."""
        if parameter_id is None or kwargs.get("customized"):
            self._ignore(result_name(parameter_id), "its trial is none of the population")
            return
        index = self._generation.running.get(parameter_id)
        if index is None:
            self._ignore(result_name(parameter_id), "no such trial is running")
            return
        member = self._generation.members[index]
        if member.loss is not None:
            self._ignore(result_name(parameter_id), "there was one before")
            return
        loss = self._loss(result_name(parameter_id), value, self._mode)
        if loss is None:
            return
        member.loss = loss
        if isinstance(parameters, dict):
            # The trial may have run with others than were proposed.
            member.parameters = without_checkpoints(parameters)

    def trial_end(self, parameter_id: int | None, success: bool, **kwargs: Any) -> None:
        """Takes note that a trial ended. The last one of a generation starts the next."""
        if parameter_id is None:
            return
        if parameter_id not in self._generation.running:
            self._ignore(f"the end of a trial with the id {parameter_id}", "no such trial is running")
            return
        self._generation.end(parameter_id, success)
        if self._generation.has_ended:
            self._start(self._next_members(self._generation), self._generation.number + 1)

    def import_data(self, data: list[TrialRecord]) -> None:
        """Goes on from the last whole generation of another experiment of the same population size.

        Each record has the parameters of a trial with its `save_checkpoint_dir`, which still exists. They
        are ignored, with a line in the log, once the first trial of this experiment was asked for.
        """
        generation = self._generation
        if generation.number or len(generation.free) < self._size:
            self._ignore(f"the import of {len(data)} results", "the population trains already")
            return
        imported = last_whole_generation(data, self._size, self._mode)
        if isinstance(imported, str):
            self._ignore(f"the import of {len(data)} results", imported)
            return
        _logger.info("%s results were imported; generation %s goes on.", len(data), imported.number)
        self._start(self._next_members(imported), imported.number + 1)

    def _hand_out(self, parameter_id: int) -> Parameters:
        member = self._generation.hand_out(parameter_id)
        make_checkpoint(member.save)
        if member.space_number != self._space_number:
            index = self._generation.running[parameter_id]
            chosen = format_known_parameters(member.parameters, self._space)
            fitting = completed(chosen, self._space, self._member_rng(index, self._generation.number))
            member.parameters = deformat_parameters(fitting, self._space)
            member.space_number = self._space_number
        return {**member.parameters, LOAD: member.load, SAVE: member.save}

    def _start(self, members: list[Member], number: int) -> None:
        """Starts a generation and hands in what is owed."""
        self._generation = Generation(number, members, deque(range(self._size)))
        _logger.info("Generation %s starts.", number)
        while self._owed and self._generation.free and self._hand_in_later is not None:
            parameter_id = self._owed.popleft()
            self._hand_in_later(parameter_id, self._hand_out(parameter_id))

    def _next_members(self, ended: Generation) -> list[Member]:
        winners, losers = winners_and_losers(ended, self._fraction)
        return [
            self._copier(index, ended, winners) if index in losers else self._goes_on(index, ended)
            for index in range(self._size)
        ]

    def _goes_on(self, index: int, ended: Generation) -> Member:
        before, save = ended.members[index], checkpoint_of(self._folder, index, ended.number + 1)
        return Member(before.parameters, before.save, save, before.space_number)

    def _copier(self, index: int, ended: Generation, winners: list[int]) -> Member:
        """Returns a member that copies a good one, or is tried again where there is none."""
        number = ended.number + 1
        failed, rng = ended.members[index], self._member_rng(index, number)
        if failed.failed and (ended.number == 0 or (failed.starts_anew and not winners)):
            return self._new_member(index, number)
        if winners:
            winner = ended.members[winners[int(rng.integers(len(winners)))]]
            parameters, load = winner.parameters, winner.save
        else:
            parameters, load = failed.parameters, failed.load
        chosen = format_known_parameters(parameters, self._space)
        changed = perturbed(chosen, self._space, rng, self._factor, self._resample_probability)
        save = checkpoint_of(self._folder, index, number)
        return Member(deformat_parameters(changed, self._space), load, save, self._space_number)

    def _new_member(self, index: int, number: int) -> Member:
        """Returns a member without a past, whose parameters are drawn when it gets its trial."""
        save = checkpoint_of(self._folder, index, number)
        return Member({}, save, save, 0)

    def _member_rng(self, index: int, number: int) -> np.random.Generator:
        """Returns the random numbers of a member in a generation, whatever id its trial has."""
        return self._rng(number * self._size + index)


def _checkpoint_folder(given: str | None) -> Path:
    folder = given or os.environ.get("NNI_CHECKPOINT_DIRECTORY")
    if not folder:
        raise ValueError(
            "all_checkpoint_dir is not set, and neither is NNI_CHECKPOINT_DIRECTORY; "
            "allowed is a folder that every trial can reach"
        )
    return Path(folder).expanduser().absolute()
