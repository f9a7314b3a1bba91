"""Says of a key that NNI's V1 form does not have what was probably meant."""

from __future__ import annotations

from nni_config.names import closest, comparable
from nni_config.problems import Steps
from nni_config.v1_form import EACH, known_keys, pattern_of
from nni_config.v1_keys import COMMON, OF_PLATFORM

_CONVERT_FIRST = "write the whole file in the V2 form with nnictl config convert, then add it"


def refusal_of_key(path: Steps) -> str:
    """Returns what is said about a key that the V1 form does not have."""
    name = str(path[-1])
    parent = pattern_of(path)[:-1]
    siblings = [
        known.path[-1]
        for pattern, known in known_keys().items()
        if pattern[:-1] == parent and pattern[-1] != EACH
    ]
    shown = name if name.isprintable() else repr(name)
    message = f"NNI's V1 form does not have the key {shown} here"
    guess = _same_elsewhere(name) or _by_v2_name(name) or closest(name, siblings)
    if guess is not None:
        return f"{message}; did you mean {guess}?"
    if _is_v2_field(name):
        return f"{message}, the V2 form has it; {_CONVERT_FIRST}"
    return f"{message}; allowed are {', '.join(siblings)}"


def _same_elsewhere(name: str) -> str | None:
    same = (known.path for pattern, known in known_keys().items() if pattern[-1] == comparable(name))
    return next((".".join(path) for path in same), None)


def _by_v2_name(name: str) -> str | None:
    """Returns the V1 key for what the V2 form calls so."""
    for rules in (COMMON, *OF_PLATFORM.values()):
        for path, rule in rules.items():
            target = getattr(rule, "target", "")
            if comparable(target.rpartition(".")[2]) == comparable(name):
                return path
    return None


def _is_v2_field(name: str) -> bool:
    from nni_config.experiment import ExperimentConfig

    return comparable(name) in {comparable(field) for field in ExperimentConfig.model_fields}
