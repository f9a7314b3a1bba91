"""Names of jobs and folders: an experiment has its own, whatever its id and whoever else has that id."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_config.experiment_ids import EXPERIMENT_ID_PATTERN
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.experiment_mark import PATTERN, make_mark, read_mark
from nni_manager.training.jobs.names import JobNames, has_id, storage_folder
from nni_manager.training.jobs.platform import job_prefix

IDS = st.one_of(
    st.from_regex(EXPERIMENT_ID_PATTERN, fullmatch=True),
    # Ids that look like parts of names.
    st.lists(st.sampled_from(["a", "job", "0", "abcde", "x1234567", ""]), min_size=1, max_size=4).map(
        "_".join
    ),
).filter(lambda text: bool(EXPERIMENT_ID_PATTERN.fullmatch(text)))
MARKS = st.one_of(st.just(""), st.just("x1234567"), st.from_regex(PATTERN, fullmatch=True))
TRIALS = st.one_of(st.just("job"), st.from_regex(r"[A-Za-z0-9]{5}", fullmatch=True))
EXPERIMENTS = st.tuples(IDS, MARKS)


@given(EXPERIMENTS, EXPERIMENTS, TRIALS, st.integers(0, 10_000))
def test_a_job_is_of_one_experiment(
    one: tuple[str, str], other: tuple[str, str], trial: str, attempt: int
) -> None:
    name = JobNames(*one).of_attempt(trial, attempt)
    assert JobNames(*one).has(name)
    assert JobNames(*other).has(name) == (one == other)
    assert has_id(other[0], name) == (one[0] == other[0])
    assert name.startswith(job_prefix(one[0]))
    assert re.fullmatch("[A-Za-z0-9_-]{1,100}", name)


@given(EXPERIMENTS, EXPERIMENTS, st.sets(st.integers(0, 50)))
def test_numbers_of_jobs_are_not_used_again(
    one: tuple[str, str], other: tuple[str, str], numbers: set[int]
) -> None:
    mine, others = JobNames(*one), JobNames(*other)
    names = [mine.of_pool(number) for number in numbers]
    assert mine.next_number([*names, mine.of_attempt("abcde", 60)]) == max(numbers, default=-1) + 1
    assert all(mine.is_pooled(name) for name in names)
    assert others.next_number(names) == (mine.next_number(names) if one == other else 0)


def test_each_training_service_numbers_its_own_pool() -> None:
    first, second = JobNames("exp00001", "x1234567"), JobNames("exp00001", "x1234567", service=1)
    names = [first.of_pool(3), second.of_pool(3)]
    assert names == ["nni_exp00001_job_3_x1234567", "nni_exp00001_job-1_3_x1234567"]
    for each in (first, second):
        assert all(each.has(name) and each.is_pooled(name) for name in names)
        assert each.next_number(names) == 4, "a service may have had another place in the list before"


def test_names_from_before_there_were_marks() -> None:
    names = JobNames("exp00001")
    assert names.of_attempt("abcde", 1) == "nni_exp00001_abcde_1"
    assert names.of_pool(7) == "nni_exp00001_job_7"
    assert not names.has("nni_exp00001_abcde_1_x1234567")
    assert not has_id("exp", "nni_exp_00001_abcde_1")


def test_each_folder_has_a_mark_of_its_own(tmp_path: Path) -> None:
    assert read_mark(tmp_path) == ""
    assert storage_folder("a", tmp_path) == "a"
    make_mark(tmp_path)
    mark = read_mark(tmp_path)
    assert re.fullmatch(PATTERN, mark)
    assert read_mark(tmp_path) == mark, "it stays"
    assert storage_folder("a", tmp_path) == f"a/{mark}"
    assert (tmp_path / "mark").stat().st_mode & 0o777 == 0o600
    make_mark(tmp_path)
    assert read_mark(tmp_path) != mark, "a folder that is used again"


@pytest.mark.parametrize("content", ["", "abc", "x1234567/../y", "X1234567", "12345678"])
def test_a_broken_mark_is_no_missing_one(tmp_path: Path, content: str) -> None:
    (tmp_path / "mark").write_text(content)
    with pytest.raises(TrainingServiceError, match=f"{tmp_path}/mark holds .*; allowed is a letter, a digit"):
        read_mark(tmp_path)


def test_a_mark_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "mark").mkdir()
    with pytest.raises(TrainingServiceError, match="mark cannot be read: Is a directory"):
        read_mark(tmp_path)
