"""What a tuner needs whose trials load what others have saved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nni_config.algorithms import find_algorithm
from nni_config.problems import Problem, Steps

if TYPE_CHECKING:
    from nni_config.experiment import ExperimentConfig


def checkpoint_problems(config: ExperimentConfig) -> Iterator[Problem]:
    """Yields why the trials of a canonical configuration cannot share their checkpoints, if they have to."""
    tuner = config.tuner
    built_in = find_algorithm(tuner.name, "tuner") if tuner is not None and tuner.name else None
    if tuner is None or built_in is None or not built_in.shares_checkpoints:
        return
    name = built_in.name
    if config.assessor is not None:
        why = f"Assessor must not be used with {name}: a trial that is stopped leaves no whole checkpoint"
        yield Problem(("assessor",), f"{why}; leave it out")
    for index, given in enumerate(config.initial_parameters or ()):
        if isinstance(config.search_space, dict) and config.search_space.keys() <= given.keys():
            why = f"it names every parameter, so that {name} has nothing to complete and adds no directories"
            yield Problem(("initial_parameters", index), f"{why} for checkpoints; leave one parameter out")
    services = config.training_services()
    elsewhere = [(index, it.platform) for index, it in enumerate(services) if it.platform != "local"]
    for index, platform in elsewhere if config.shared_storage is None else ():
        place: Steps = (index,) if len(services) > 1 else ()
        why = f"trials of {name} load the checkpoints of others; those on {platform!r} reach no common folder"
        yield Problem(
            ("training_service", *place, "platform"),
            f"{why}; allowed is platform: local, or shared_storage with all_checkpoint_dir in it",
        )
    if (
        elsewhere
        and config.shared_storage is not None
        and not (tuner.class_args or {}).get("all_checkpoint_dir")
    ):
        message = "it is not set; allowed is a folder in the shared storage, which every trial reaches"
        yield Problem(("tuner", "class_args", "all_checkpoint_dir"), message)
