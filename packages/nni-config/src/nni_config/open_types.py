"""Types of fields as type checkers are to see them.

A field that is None or a list in some configurations is used without a question in scripts that know better:
`Experiment("local")` has a tuner to be named and one training service. `X | Any` tells what X has and asks
for no test of None. What is assigned is checked when it is assigned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from nni_config.training_service import TrainingServiceConfig

if TYPE_CHECKING:
    MaybeNone: TypeAlias = Any
    TrainingServices: TypeAlias = TrainingServiceConfig | Any
else:
    MaybeNone = None
    TrainingServices = TrainingServiceConfig | list[TrainingServiceConfig]
