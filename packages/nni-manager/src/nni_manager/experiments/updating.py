"""Changes of a running experiment's configuration."""

from __future__ import annotations

from dataclasses import fields

from nni_config import ExperimentConfig, InvalidConfigError

from nni_manager.experiments import errors
from nni_manager.experiments.creating import check_config
from nni_manager.experiments.views import UNCHANGED, ExperimentUpdate


def updated_config(config: ExperimentConfig, update: ExperimentUpdate) -> ExperimentConfig:
    """Returns a configuration with the changes of an update, checked as a new one is.

    Raises:
        InvalidArgumentError: A value is out of range; the text names the field and what is allowed.
    """
    changed = config.canonical_copy()
    try:
        for field in fields(update):
            value = getattr(update, field.name)
            if value is not UNCHANGED:
                setattr(changed, field.name, value)
        check_config(changed)
    except (InvalidConfigError, errors.InvalidConfigError, ValueError, TypeError) as error:
        raise errors.InvalidArgumentError(str(error)) from error
    return changed
