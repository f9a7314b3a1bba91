"""NNI's older form of the commands, on a file or a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward

if TYPE_CHECKING:
    from nni_manager.algorithms.advisor.legacy_channel import CommandType as CommandType
    from nni_manager.algorithms.advisor.legacy_channel import LegacyCommandChannel as LegacyCommandChannel
    from nni_manager.algorithms.advisor.legacy_channel import receive as receive
    from nni_manager.algorithms.advisor.legacy_channel import send as send

__getattr__, __dir__ = forward(__name__, "nni_manager.algorithms.advisor.legacy_channel")
