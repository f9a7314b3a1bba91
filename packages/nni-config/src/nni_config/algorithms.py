"""Which tuners and assessors exist by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from nni_config.names import closest, short

OptimizeMode = Literal["maximize", "minimize"]
"""Whether a larger or a smaller result is better."""

AlgorithmKind = Literal["tuner", "assessor"]
"""What an algorithm does: propose parameters, or stop trials early."""


@dataclass(frozen=True, slots=True)
class BuiltInAlgorithm:
    """An algorithm that is chosen by its name.

    Attributes:
        name: Its name; case does not matter where it is written.
        kind: What it does.
        aliases: Its other names.
        default_optimize_mode: What it does when nobody says.
        takes_points: Whether its search space is a list of whole points, rather than parameters to combine.
        shares_checkpoints: Whether its trials load what others have saved.
    """

    name: str
    kind: AlgorithmKind
    aliases: tuple[str, ...] = ()
    default_optimize_mode: OptimizeMode = "maximize"
    takes_points: bool = False
    shares_checkpoints: bool = False

    def has_name(self, name: str) -> bool:
        """Returns whether a name is its own or an alias, in any case."""
        return name.lower() in (known.lower() for known in (self.name, *self.aliases))


BUILT_IN_ALGORITHMS = (
    BuiltInAlgorithm("TPE", "tuner", default_optimize_mode="minimize"),
    BuiltInAlgorithm("TPE_legacy", "tuner", default_optimize_mode="minimize"),
    BuiltInAlgorithm("Anneal", "tuner", default_optimize_mode="minimize"),
    BuiltInAlgorithm("Random", "tuner"),
    BuiltInAlgorithm("GridSearch", "tuner"),
    BuiltInAlgorithm("Batch", "tuner", ("BatchTuner",), takes_points=True),
    BuiltInAlgorithm("Evolution", "tuner"),
    BuiltInAlgorithm("PBT", "tuner", ("PBTTuner",), shares_checkpoints=True),
    BuiltInAlgorithm("SMAC", "tuner"),
    BuiltInAlgorithm("GP", "tuner", ("GPTuner",)),
    BuiltInAlgorithm("Metis", "tuner", ("MetisTuner",)),
    BuiltInAlgorithm("DNGO", "tuner", ("DNGOTuner",)),
    BuiltInAlgorithm("Hyperband", "tuner"),
    BuiltInAlgorithm("BOHB", "tuner"),
    BuiltInAlgorithm("Optuna", "tuner"),
    BuiltInAlgorithm("Medianstop", "assessor"),
    BuiltInAlgorithm("Curvefitting", "assessor"),
)
"""Every algorithm that is there by name."""

_ARCHITECTURE_SEARCH = (
    "networkmorphism",
    "ppo",
    "ppotuner",
    "regularizedevolution",
    "regularizedevolutiontuner",
)
"""NNI's other tuners, in lower case."""


_ALIKE = 0.6
"""How alike a name must be to one that there is, to be taken for it: "TEP" is "TPE"."""


def find_algorithm(name: str, kind: AlgorithmKind) -> BuiltInAlgorithm | None:
    """Returns the built-in algorithm of a name, or None."""
    return next((each for each in BUILT_IN_ALGORITHMS if each.kind == kind and each.has_name(name)), None)


def is_known(name: str, kind: AlgorithmKind) -> bool:
    """Returns whether there is an algorithm of a name, a built-in one or one that users have added."""
    return find_algorithm(name, kind) is not None or _is_added(name, kind)


def is_registered(name: str) -> bool:
    """Returns whether a name is that of a tuner or an assessor that users have added."""
    kinds: tuple[AlgorithmKind, ...] = get_args(AlgorithmKind)
    if any(find_algorithm(name, kind) is not None for kind in kinds):
        return False
    return any(_is_added(name, kind) for kind in kinds)


def is_misspelt(name: str, kind: AlgorithmKind) -> bool:
    """Returns whether a name is no algorithm's and is like that of a built-in one."""
    names = [each.name for each in BUILT_IN_ALGORITHMS if each.kind == kind]
    return not is_known(name, kind) and closest(name, names, _ALIKE) is not None


def refusal_of_name(name: str, kind: AlgorithmKind) -> str:
    """Returns why a name that there is not is refused, and which names there are."""
    from nni_config.registered_algorithms import RegistryError, registered_algorithms

    names = [each.name for each in BUILT_IN_ALGORITHMS if each.kind == kind]
    try:
        names += [each.name for each in registered_algorithms(kind)]
    except RegistryError as error:
        return f"whether {short(name)} is registered cannot be told: {error}"
    allowed = f"available: {', '.join(names) if names else 'none'}, or class_name for a class of your own"
    if kind == "tuner" and name.lower() in _ARCHITECTURE_SEARCH:
        why = "belongs to architecture search, which is not part of this product"
        return f"the tuner {short(name)} {why}; {allowed}"
    guess = closest(name, names, _ALIKE)
    hint = f" (did you mean {guess!r}?)" if guess else ""
    return f"there is no {kind} {short(name)}{hint}; {allowed}"


def _is_added(name: str, kind: AlgorithmKind) -> bool:
    from nni_config.registered_algorithms import RegistryError, find_registered

    try:
        return find_registered(name, kind) is not None
    except RegistryError:
        return False  # the refusal of the name tells it
