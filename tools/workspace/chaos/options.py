"""What the chaos command can be told."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from workspace.launch import ToolError

TUNERS = ("custom", "TPE", "Random")
"""The tuners that runs take turns with, by their seed; the first one is tuner.py."""

_SEEDS = 2**31


@dataclass(frozen=True)
class Form:
    """How much is done unless other options say so."""

    trials: int
    kills: int


_USUAL = Form(trials=200, kills=20)
_SHORT = Form(trials=20, kills=4)
_LONG = Form(trials=200, kills=100)


@dataclass(frozen=True)
class Options:
    """What is to be done.

    Attributes:
        seed: Decides what is done to the run and when, and which tuner it has.
        trials: How many trials it has.
        kills: How often its manager is killed, at least.
        tuner: One of TUNERS.
        as_json: Whether to print one JSON object and nothing else.
        small_disk: Whether a small disk may be mounted.
    """

    seed: int
    trials: int
    kills: int
    tuner: str
    as_json: bool
    small_disk: bool


def parse(arguments: Sequence[str], description: str) -> Options:
    """Returns the options of a command line; argparse ends the process for one that is not right.

    Raises:
        ToolError: A number is out of range.
    """
    parser = argparse.ArgumentParser(prog="tools/chaos", description=description)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--short", action="store_const", const=_SHORT, dest="form", help="under a minute")
    form.add_argument("--long", action="store_const", const=_LONG, dest="form", help="100 kills and more")
    parser.add_argument("--seed", type=int, help="decides what happens when; a random one")
    parser.add_argument("--trials", type=int, help="how many trials (200)")
    parser.add_argument("--kills", type=int, help="how often the manager is killed, at least (20)")
    parser.add_argument("--tuner", choices=TUNERS, help="by the seed")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--no-mount", action="store_true", help="limit files, mount no small disk")
    found = parser.parse_args(arguments)
    seed = secrets.randbelow(_SEEDS) if found.seed is None else found.seed
    usual = found.form or _USUAL
    options = Options(
        seed=seed,
        trials=usual.trials if found.trials is None else found.trials,
        kills=usual.kills if found.kills is None else found.kills,
        tuner=found.tuner or TUNERS[seed % len(TUNERS)],
        as_json=found.json,
        small_disk=not found.no_mount,
    )
    if options.trials < 1 or options.kills < 0 or seed < 0:
        raise ToolError("--trials has to be 1 or more, --kills and --seed 0 or more")
    return options
