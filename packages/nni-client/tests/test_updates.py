"""Requests that change a running experiment name exactly one field."""

from __future__ import annotations

import pytest
from nni_client import updates
from nni_config.wire import config_from_message

NAME = "experiments/abc"


@pytest.mark.parametrize(
    ("make", "field", "value"),
    [
        (updates.trial_concurrency, "trial_concurrency", 3),
        (updates.max_trial_number, "max_trial_number", 100),
        (updates.max_experiment_duration, "max_experiment_duration", "1.5h"),
        (updates.max_experiment_duration, "max_experiment_duration", 90),
        (updates.max_experiment_duration, "max_experiment_duration", 0.5),
        (updates.search_space, "search_space", {"x": {"_type": "choice", "_value": [1, "a"]}}),
        (updates.search_space, "search_space", {}),
    ],
)
def test_a_value(make, field, value):
    request = make(NAME, value)
    assert request.name == NAME
    assert list(request.update_mask.paths) == [field]
    assert [set_field.name for set_field, _ in request.config.ListFields()] == [field]
    found = getattr(config_from_message(request.config), field)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("make", [updates.max_trial_number, updates.max_experiment_duration])
def test_no_limit(make):
    request = make(NAME, None)
    assert request.config.ListFields() == []
    assert len(request.update_mask.paths) == 1


@pytest.mark.parametrize("value", [0, -5, 2.0, "3", True, 2**31])
@pytest.mark.parametrize("make", [updates.max_trial_number, updates.trial_concurrency])
def test_counts_that_are_refused(make, value):
    with pytest.raises(ValueError, match="a whole number from 1"):
        make(NAME, value)


@pytest.mark.parametrize("value", [True, [1], object()])
def test_durations_that_are_refused(value):
    with pytest.raises(TypeError, match="a duration is text"):
        updates.max_experiment_duration(NAME, value)
