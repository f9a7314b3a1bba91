"""Writes docs/algorithms/README.md, or checks that it is in step.

    .venv/bin/python tools/generate_algorithm_table.py           writes the page
    .venv/bin/python tools/generate_algorithm_table.py --check   exits with 1 when it differs

What algorithms make of what happens to a trial is the table of nni_manager.testing.outcome_table, of which
tests/contract/test_algorithm_outcomes.py asserts every cell. What an algorithm needs comes from the built-in
algorithms themselves; when to use it is in the table below.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nni_manager.algorithms.built_ins import BuiltIn
from nni_manager.testing.outcome_table import ALGORITHMS, EVENTS, TABLE, WORDS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "algorithms" / "README.md"
"""The page."""


class About(NamedTuple):
    """What a person who chooses is told of an algorithm.

    Attributes:
        page: The page of it in this folder, without ".md".
        use: When to use it.
    """

    page: str
    use: str


ABOUT: Mapping[str, About] = {
    "TPE": About("tpe", "The one to begin with: any search space, few or many trials, many at once."),
    "TPE_legacy": About("anneal", "Configurations of NNI that name it; it is TPE."),
    "Anneal": About("anneal", "Near good points, with next to no model, where the optimum is in one place."),
    "Random": About("random", "A baseline, and to see what a search space holds."),
    "GridSearch": About(
        "grid_search", "Small search spaces, each point once; large ones in finer and finer grids."
    ),
    "Batch": About("batch", "A list of parameters that are all to be tried."),
    "Evolution": About("evolution", "Cheap trials, many hundreds of them, many at once."),
    "PBT": About("pbt", "Training with checkpoints, where the best parameters change while it learns."),
    "SMAC": About("smac", "Many choices and conditional parameters, a few hundred trials."),
    "GP": About("gp", "Few, expensive trials with mostly numbers, up to some ten of them."),
    "Metis": About("metis", "As GP, where results are noisy and a point may be worth another trial."),
    "DNGO": About("dngo", "As GP, with many hundred trials."),
    "Hyperband": About("hyperband", "Trials that can have a budget, as epochs, where bad ones show early."),
    "BOHB": About("bohb", "As Hyperband, with parameters that are learned rather than drawn."),
    "Optuna": About("optuna", "The samplers of Optuna: TPE, CMA-ES, NSGA-II, quasi Monte Carlo and others."),
    "Medianstop": About("medianstop", "Stops what is worse than the median of the others at the same step."),
    "Curvefitting": About("curvefitting", "Stops what is predicted to end worse than the best one."),
}
"""Every built-in algorithm."""

_TITLE = """\
# The built-in algorithms

<!-- Made by tools/generate_algorithm_table.py. -->

A tuner proposes parameters, an assessor stops trials early. Each is chosen by its name as `tuner.name` or
`assessor.name`; Hyperband and BOHB may stand under `advisor` as well. What an algorithm needs beside numpy is
installed by the command in the last column. Algorithms of your own: [tuners](custom_tuner.md),
[advisors](custom_advisor.md), [assessors](assessors.md), [registering one by a name](../registering.md).
"""

_EVENTS = """\
## What becomes of a trial that does not go as planned

Each word of this table is what a test finds: it lets the algorithm propose with and without what happens, and
compares what comes after. Nothing that happens to a trial is ever an error of the algorithm.
"""

_MEANING = """\
What the words mean, "it" being the trial or its result:
"""

_NOTES = """\
A trial that was killed or stopped early has no final result unless it had reported one; its intermediate
results stay in the record. Imported results teach as a tuner's own trials do. PBT goes on from the last whole
generation among them, if their checkpoints are still there. CMA-ES, NSGA-II and NSGA-III of Optuna learn from
their own proposals alone. Metis proposes the same parameters again if `no_resampling` is false. To an
assessor a result is an intermediate one; it hears neither final results nor whose parameters a trial has.
"""


def page() -> str:
    """Returns the text of the page.

    Raises:
        KeyError: An algorithm is not in ABOUT.
    """
    tuners = [name for name, built_in in ALGORITHMS.items() if built_in.kind == "tuner"]
    assessors = [name for name in ALGORITHMS if name not in tuners]
    parts = [
        _TITLE,
        *("\n".join(_index(title, names)) for title, names in (("Tuners", tuners), ("Assessors", assessors))),
        _EVENTS,
        "\n".join(_table()),
        _MEANING,
        "\n".join(_words()),
        _NOTES,
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes or checks the page; returns the exit code."""
    parser = argparse.ArgumentParser(description="Makes the page of all built-in algorithms.")
    parser.add_argument("--check", action="store_true", help="only tell whether it is in step")
    made = page()
    if not parser.parse_args(arguments).check:
        PAGE.write_text(made, encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == made:
        return 0
    print(f"{PAGE} is not in step; make it anew: python tools/generate_algorithm_table.py", file=sys.stderr)
    return 1


def _index(title: str, names: Sequence[str]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield "| name | when to use it | needs |"
    yield "|---|---|---|"
    for name in names:
        about = ABOUT[name]
        is_written = (PAGE.parent / f"{about.page}.md").is_file()
        link = f"[{name}]({about.page}.md)" if is_written else name
        yield f"| {link} | {about.use} | {_needs(ALGORITHMS[name])} |"


def _needs(built_in: BuiltIn) -> str:
    return f'`pip install "nni-manager[{built_in.extra}]"`' if built_in.extra else "nothing"


def _table() -> Iterator[str]:
    yield "| | " + " | ".join(ALGORITHMS) + " |"
    yield "|---" * (len(ALGORITHMS) + 1) + "|"
    for event, (title, _) in EVENTS.items():
        yield f"| {title} | " + " | ".join(TABLE[name][event] for name in ALGORITHMS) + " |"


def _words() -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    for word, meaning in WORDS.items():
        yield f"| {word} | {meaning} |"
    yield "| ..., logged | and there is a warning in `dispatcher.log` |"


if __name__ == "__main__":
    sys.exit(main())
