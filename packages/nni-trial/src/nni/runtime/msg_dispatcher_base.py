"""The base class of advisors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward

if TYPE_CHECKING:
    from nni_manager.algorithms.advisor.base import QUEUE_LEN_WARNING_MARK as QUEUE_LEN_WARNING_MARK
    from nni_manager.algorithms.advisor.base import CommandType as CommandType
    from nni_manager.algorithms.advisor.base import MsgDispatcherBase as MsgDispatcherBase

__getattr__, __dir__ = forward(__name__, "nni_manager.algorithms.advisor.base")
