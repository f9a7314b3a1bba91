"""Changes of a running experiment's configuration."""

from __future__ import annotations

import copy
from dataclasses import fields

from nni_config import ExperimentConfig, InvalidConfigError

from nni_manager.experiments import errors
from nni_manager.experiments.creating import checked_config
from nni_manager.experiments.views import UNCHANGED, ExperimentUpdate


def updated_config(config: ExperimentConfig, update: ExperimentUpdate) -> ExperimentConfig:
    """Returns a configuration with the changes of an update, checked as a new one is.

    What was wrong before is not held against the update: a code folder may have gone since the start.

    Raises:
        InvalidArgumentError: A value is out of range; the text names the field and what is allowed.
    """
    changed = copy.deepcopy(config)
    try:
        for field in fields(update):
            value = getattr(update, field.name)
            if value is not UNCHANGED:
                setattr(changed, field.name, value)
    except (InvalidConfigError, ValueError, TypeError) as error:
        raise errors.InvalidArgumentError(str(error)) from error
    if problems := _problems(changed):
        known = _problems(config)
        new = [problem for problem in problems if problem not in known]
        if new:
            raise errors.InvalidArgumentError("\n".join(new))
    return changed


def _problems(config: ExperimentConfig) -> list[str]:
    try:
        checked_config(config)
    except errors.InvalidConfigError as error:
        return str(error).splitlines()
    return []
