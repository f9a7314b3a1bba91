"""The commands between the manager and an advisor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward

if TYPE_CHECKING:
    from nni_manager.algorithms.advisor.command_type import CommandType as CommandType

__getattr__, __dir__ = forward(__name__, "nni_manager.algorithms.advisor.command_type")
