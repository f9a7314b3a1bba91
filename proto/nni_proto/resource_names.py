"""Resource names: experiments/{experiment}, experiments/{experiment}/trials/{trial} and .../jobs/{job}.

`x_id` is one component, `x_name` a whole resource name. No other module takes names apart.
"""

from __future__ import annotations

import re
from typing import Tuple

EXPERIMENT_ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,32}")
"""What an experiment's id looks like."""

_EXPERIMENT_NAME = re.compile(r"experiments/([A-Za-z0-9_-]{1,32})")
_ANY_NAME = re.compile(r"experiments/([A-Za-z0-9_-]{1,32})(?:/.*)?", re.DOTALL)
_TRIAL_NAME = re.compile(r"experiments/([A-Za-z0-9_-]{1,32})/trials/([A-Za-z0-9_-]{1,64})")
_JOB_NAME = re.compile(r"experiments/([A-Za-z0-9_-]{1,32})/jobs/([A-Za-z0-9_.-]{1,255})")


def experiment_name(experiment_id: str) -> str:
    """Returns the resource name of an experiment."""
    return f"experiments/{experiment_id}"


def trial_name(experiment_id: str, trial_id: str) -> str:
    """Returns the resource name of a trial."""
    return f"experiments/{experiment_id}/trials/{trial_id}"


def job_name(experiment_id: str, job: str) -> str:
    """Returns the resource name of a job that trials run in."""
    return f"experiments/{experiment_id}/jobs/{job}"


def parse_experiment_name(name: str) -> str:
    """Returns the id in an experiment's name.

    Raises:
        ValueError: The text is not the name of an experiment.
    """
    match = _EXPERIMENT_NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not the name of an experiment: experiments/ID is")
    return match.group(1)


def parse_trial_name(name: str) -> Tuple[str, str]:
    """Returns the experiment's id and the trial's id in a trial's name.

    Raises:
        ValueError: The text is not the name of a trial.
    """
    match = _TRIAL_NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not the name of a trial: experiments/ID/trials/ID is")
    return match.group(1), match.group(2)


def parse_job_name(name: str) -> Tuple[str, str]:
    """Returns the id of the experiment and the job in a job's name.

    Raises:
        ValueError: The text is not the name of a job.
    """
    match = _JOB_NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not the name of a job: experiments/ID/jobs/JOB is")
    return match.group(1), match.group(2)


def experiment_id_of(name: str) -> str:
    """Returns the id of the experiment that a resource is, or belongs to.

    Raises:
        ValueError: The text is not the name of a resource.
    """
    match = _ANY_NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not a resource name: those begin with experiments/ID")
    return match.group(1)
