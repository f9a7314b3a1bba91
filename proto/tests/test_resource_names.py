"""Names of experiments and trials."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_proto import resource_names

ids = st.from_regex(r"[A-Za-z0-9_-]{1,32}", fullmatch=True)
trial_ids = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


@given(ids, trial_ids)
def test_names_come_apart_as_they_were_put_together(experiment_id: str, trial_id: str) -> None:
    name = resource_names.experiment_name(experiment_id)
    assert resource_names.parse_experiment_name(name) == experiment_id
    name = resource_names.trial_name(experiment_id, trial_id)
    assert resource_names.parse_trial_name(name) == (experiment_id, trial_id)
    name = resource_names.job_name(experiment_id, f"{trial_id}.1")
    assert resource_names.parse_job_name(name) == (experiment_id, f"{trial_id}.1")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "abcd1234",
        "experiments/",
        "experiments/a/",
        "experiments/a b",
        "experiments/..",
        "experiments/a\n",
        "Experiments/a",
        "experiments/" + "a" * 33,
        "experiments/a/trials/b",
        "experiments/é",
    ],
)
def test_what_is_no_experiments_name(name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of an experiment: experiments/ID is"):
        resource_names.parse_experiment_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "trials/b",
        "experiments/a",
        "experiments/a/trials/",
        "experiments/a/trials/../b",
        "experiments/a/trials/b/c",
        "experiments/a/trials/b\n",
        "experiments//trials/b",
        "experiments/a/trials/" + "b" * 65,
    ],
)
def test_what_is_no_trials_name(name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a trial: experiments/ID/trials/ID is"):
        resource_names.parse_trial_name(name)


@pytest.mark.parametrize(("text", "is_id"), [("a", True), ("A_b-9" * 6, True), ("", False), ("a.b", False)])
def test_ids(text: str, is_id: bool) -> None:
    assert bool(resource_names.EXPERIMENT_ID_PATTERN.fullmatch(text)) is is_id
