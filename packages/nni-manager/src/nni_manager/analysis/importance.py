"""Measures parameter importance with scikit-learn.

A random forest learns the result from the parameters. How much worse it predicts trials that it has not seen
once the values of one parameter are shuffled among them is that parameter's importance (Breiman, "Random
Forests", Machine Learning 2001, section 10). It is measured in three folds, some times in each.

Numbers and results count by their ranks. A forest of ranks is the same for a parameter and its logarithm, and
one diverged trial does not drown the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from nni_manager.analysis.interface import Cell, Importance, Measured, ParameterColumn

_FOLDS = 3
_REPEATS = 3
_TREES = 24
_SMALLEST_LEAF = 3
_MOST_CATEGORIES = 30
_ROWS_AT_ONCE = 20_000

_Numbers = NDArray[np.float64]


def measure(columns: Sequence[ParameterColumn], results: Sequence[float], seed: int = 0) -> Measured:
    """Measures how much each parameter matters for a result.

    A parameter that a trial does not have counts as one more value of it. Text is a category each; the rarest
    beyond 30 count as one.

    Args:
        columns: The parameters; each has one cell for each result.
        results: The result of each trial, infinities allowed.
        seed: The same one gives the same answer.
    """
    ranks = rankdata(np.asarray(results, float))
    correlations = [_rank_correlation(column.cells, ranks) for column in columns]
    coded = [_coded(column.cells) for column in columns]
    # One that is the same wherever it is there only tells what the choice that it depends on tells, too.
    varying = [index for index, (values, _) in enumerate(coded) if len(set(values) - {0.0}) > 1]
    drops = np.zeros((len(columns), _FOLDS * _REPEATS))
    explained = 0.0
    if varying and np.ptp(ranks) > 0:
        matrix = np.stack([coded[index][0] for index in varying], axis=1)
        categories = [place for place, index in enumerate(varying) if coded[index][1]]
        drops[varying], explained = _drops(matrix, categories, ranks, seed)
    means = np.maximum(drops.mean(axis=1), 0.0)
    total = float(means.sum()) or 1.0
    found = [
        Importance(
            parameter=column.name,
            importance=float(means[index]) / total,
            standard_deviation=float(drops[index].std()) / total,
            rank_correlation=correlations[index],
        )
        for index, column in enumerate(columns)
    ]
    return Measured(sorted(found, key=lambda each: -each.importance), min(max(explained, 0.0), 1.0))


def _drops(matrix: _Numbers, categories: list[int], ranks: _Numbers, seed: int) -> tuple[_Numbers, float]:
    """Returns how much of the explained variance each column's shuffling takes, and what is explained."""
    random = np.random.default_rng(seed)
    drops, scores = [], []
    for made_from, held_out in KFold(_FOLDS, shuffle=True, random_state=seed).split(matrix):
        encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=_MOST_CATEGORIES)
        model = make_pipeline(
            ColumnTransformer([("text", encoder, categories)], remainder="passthrough"),
            RandomForestRegressor(_TREES, min_samples_leaf=_SMALLEST_LEAF, random_state=seed),
        )
        model.fit(matrix[made_from], ranks[made_from])

        def errors(rows: _Numbers, model: Pipeline = model, expected: _Numbers = ranks[held_out]) -> _Numbers:
            answers = model.predict(rows).reshape(-1, len(expected))
            return np.asarray(((answers - expected) ** 2).mean(axis=1) / ranks.var())

        unshuffled = errors(matrix[held_out])[0]
        shuffled = [errors(rows) for rows in _shuffled(matrix[held_out], random)]
        scores.append(1 - unshuffled)
        drops.append(np.concatenate(shuffled).reshape(-1, _REPEATS) - unshuffled)
    return np.concatenate(drops, axis=1), float(np.mean(scores))


def _shuffled(rows: _Numbers, random: np.random.Generator) -> Iterator[_Numbers]:
    """Yields, for each column and repeat, all rows with that column shuffled; many columns at a time.

    A forest takes a while to be asked, however little it is asked.
    """
    at_once = max(1, _ROWS_AT_ONCE // (len(rows) * _REPEATS))
    for first in range(0, rows.shape[1], at_once):
        columns = range(first, min(first + at_once, rows.shape[1]))
        copies = np.tile(rows, (len(columns) * _REPEATS, 1, 1))
        for copy, column in enumerate(column for column in columns for _ in range(_REPEATS)):
            random.shuffle(copies[copy, :, column])
        yield copies.reshape(-1, rows.shape[1])


def _coded(cells: Sequence[Cell]) -> tuple[_Numbers, bool]:
    """Returns a column as numbers, nothing being the lowest one, and whether they stand for categories."""
    texts = sorted({str(cell) for cell in cells if cell is not None})
    if any(isinstance(cell, str) for cell in cells):
        codes = {text: float(code) for code, text in enumerate(texts, start=1)}
        return np.array([0.0 if cell is None else codes[str(cell)] for cell in cells]), True
    numbers = np.array([np.nan if cell is None else float(cell) for cell in cells])
    values = np.zeros(len(numbers))
    there = ~np.isnan(numbers)
    values[there] = rankdata(numbers[there], method="dense")
    return values, False


def _rank_correlation(cells: Sequence[Cell], ranks: _Numbers) -> float | None:
    there = np.array([cell is not None and not isinstance(cell, str) for cell in cells], bool)
    if any(isinstance(cell, str) for cell in cells) or there.sum() < 2:
        return None
    numbers = np.array([cell for cell in cells if cell is not None], float)
    if np.ptp(rankdata(numbers)) == 0 or np.ptp(ranks[there]) == 0:
        return None
    return float(spearmanr(numbers, ranks[there]).statistic)
