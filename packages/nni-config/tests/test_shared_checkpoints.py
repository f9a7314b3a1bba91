"""PBT: trials that load what others have saved run where they can, and none is stopped early."""

from __future__ import annotations

from typing import Any

import pytest
from nni_config import ExperimentConfig, InvalidConfigError

REMOTE = {
    "platform": "remote",
    "machineList": [{"host": "10.0.0.1", "user": "me", "password": "secret"}],
    "reuseMode": True,
}
NFS = {
    "storageType": "NFS",
    "localMountPoint": "/tmp",
    "remoteMountPoint": "/mnt",
    "localMounted": "usermount",
    "nfsServer": "10.0.0.9",
    "exportedDirectory": "/data",
}
LOCAL = {"platform": "local"}


def problems(**changes: Any) -> list[str]:
    """Returns what is wrong with a configuration of PBT."""
    fields = {
        "trial_concurrency": 1,
        "trial_command": "true",
        "trial_code_directory": "/tmp",
        "search_space": {"x": {"_type": "uniform", "_value": [0, 1]}},
        "nni_manager_ip": "10.0.0.2",
        "tuner": {"name": "pbttuner"},
        "training_service": LOCAL,
    }
    config = ExperimentConfig(**{**fields, **changes})
    try:
        config.validate()
    except InvalidConfigError as error:
        return str(error).splitlines()
    return []


def test_on_this_machine_it_is_fine() -> None:
    assert problems() == []


def test_an_assessor_is_refused_by_name() -> None:
    (problem,) = problems(assessor={"name": "Medianstop"})
    assert problem.startswith("assessor: Assessor must not be used with PBT: ")
    (problem,) = problems(assessor={"className": "mine.Own"})
    assert "Assessor must not be used with PBT" in problem
    assert problems(assessor={"name": "Medianstop"}, tuner={"name": "TPE"}) == []


def test_initial_parameters_leave_something_to_complete() -> None:
    """The tuner adds the directories to what it completes only."""
    space = {name: {"_type": "uniform", "_value": [0, 1]} for name in ("x", "y")}
    (problem,) = problems(search_space=space, initial_parameters=[{"x": 0}, {"x": 0, "y": 1}])
    assert problem.startswith("initial_parameters[1]: it names every parameter")


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"training_service": REMOTE}, "training_service.platform"),
        ({"training_service": [LOCAL, REMOTE]}, "training_service[1].platform"),
        ({"training_service": REMOTE, "shared_storage": NFS}, "tuner.class_args.all_checkpoint_dir"),
    ],
)
def test_off_this_machine_it_needs_storage_that_is_shared(changes: dict[str, Any], place: str) -> None:
    """Rule A3 of the behaviour."""
    (problem,) = problems(**changes)
    assert problem.startswith(f"{place}: ")
    shared = {"name": "PBT", "classArgs": {"all_checkpoint_dir": "/mnt/checkpoints"}}
    assert problems(**{**changes, "shared_storage": NFS, "tuner": shared}) == []
    assert problems(**{**changes, "tuner": {"name": "TPE"}}) == []
