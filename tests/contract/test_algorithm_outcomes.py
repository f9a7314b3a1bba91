"""Every cell of the table in docs/algorithms/README.md: what an algorithm does is what is written there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from nni_manager.testing.outcome_table import ALGORITHMS, EVENTS, TABLE, WORDS, outcomes_of


@pytest.fixture(autouse=True, scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Gives tuners a place for their files, as the manager does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNI_CHECKPOINT_DIRECTORY", str(tmp_path_factory.mktemp("checkpoints")))
        yield
        outcomes_of.cache_clear()


# Models are slow, and the first cell of each algorithm waits for its twins.
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "algorithm",
    [
        pytest.param(name, marks=[pytest.mark.slow] if built_in.packages else [])
        for name, built_in in ALGORITHMS.items()
    ],
)
@pytest.mark.parametrize("event", EVENTS)
def test_what_happens_to_a_trial(algorithm: str, event: str) -> None:
    assert EVENTS[event].observe(outcomes_of(algorithm)) == TABLE[algorithm][event]


def test_every_algorithm_and_every_word_is_in_the_table() -> None:
    assert TABLE.keys() == ALGORITHMS.keys()
    used = {word.removesuffix(", logged") for column in TABLE.values() for word in column.values()}
    assert used == {word.removesuffix(", logged") for word in WORDS}
