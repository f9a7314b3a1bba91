"""Helpers around an experiment's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward

if TYPE_CHECKING:
    from nni_config.utils import *  # noqa: F403

__getattr__, __dir__ = forward(__name__, "nni_config.utils")
