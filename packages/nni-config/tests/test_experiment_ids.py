from __future__ import annotations

from nni_config.experiment_ids import EXPERIMENT_ID_PATTERN, new_experiment_id
from nni_proto import resource_names


def test_the_protocol_names_the_same_ids() -> None:
    assert EXPERIMENT_ID_PATTERN.pattern == resource_names.EXPERIMENT_ID_PATTERN.pattern


def test_new_ids_are_allowed() -> None:
    assert EXPERIMENT_ID_PATTERN.fullmatch(new_experiment_id())
