"""Makes the engine's events of what an algorithm answers."""

from __future__ import annotations

import time

from nni_proto import values
from nni_proto.v1.algorithm_pb2 import AlgorithmResponse

from nni_manager.engine.events import ParametersProposed, ParametersRefused, TrialJudgedBad


def event_of(
    response: AlgorithmResponse, algorithm: str
) -> ParametersProposed | ParametersRefused | TrialJudgedBad:
    """Returns the event of a proposal, a refusal or a verdict.

    Args:
        response: The response.
        algorithm: Whose it is: "tuner" or "assessor".

    Raises:
        ValueError: The response is none of these, or holds a malformed value.
    """
    kind = response.WhichOneof("response")
    if kind == "propose":
        proposal = response.propose
        return ParametersProposed(
            proposal.parameter_id, values.from_message(proposal.parameters), time.time()
        )
    if kind == "refuse":
        return ParametersRefused(tuple(response.refuse.parameter_ids), response.refuse.message)
    if kind == "stop_trial":
        verdict = response.stop_trial
        return TrialJudgedBad(verdict.trial_id, verdict.message, time.time(), algorithm)
    raise ValueError(f"the response {kind} is not known")
