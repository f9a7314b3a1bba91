"""Whether a compute target can run what is asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from nni_manager.training.aml.errors import AzureRefusedError
from nni_manager.training.aml.place import AmlPlace
from nni_manager.training.aml.requests import AzureRequests
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.platform import PlatformAwayError

RUNS_JOBS = ("AmlCompute", "ComputeInstance", "Kubernetes")
"""The kinds of compute target that run command jobs."""


def check_compute(facts: Mapping[str, Any], place: AmlPlace, requests: AzureRequests) -> None:
    """Finds out what would keep every job waiting for ever.

    Args:
        facts: The compute target, as the service tells of it.
        place: What is asked for.
        requests: Asks for the sizes of machines.

    Raises:
        TrainingServiceError: It cannot run the jobs.
    """
    target = f'compute_target: "{place.compute}" of {place.workspace}'
    properties = facts.get("properties") or {}
    kind, state = properties.get("computeType"), properties.get("provisioningState")
    if kind not in RUNS_JOBS:
        raise TrainingServiceError(f"{target} is of the kind {kind}; allowed are {', '.join(RUNS_JOBS)}")
    if state in ("Failed", "Deleting", "Canceled"):
        raise TrainingServiceError(f"{target} is not in order ({state}): {trouble_of(facts) or 'no reason'}")
    details = properties.get("properties") or {}
    if kind == "AmlCompute" and (details.get("scaleSettings") or {}).get("maxNodeCount") == 0:
        raise TrainingServiceError(f"{target} may have 0 nodes at most; allowed is a cluster with 1 or more")
    if kind == "AmlCompute" and place.gpus_per_trial:
        gpus = _gpus_of(str(details.get("vmSize", "")), str(facts.get("location", "")), place, requests)
        if gpus is not None and gpus < place.gpus_per_trial:
            raise TrainingServiceError(
                f"trial_gpu_number: each trial needs {place.gpus_per_trial} GPUs, and a node of "
                f'"{place.compute}" ({details.get("vmSize")}) has {gpus}'
            )


def trouble_of(facts: Mapping[str, Any]) -> str:
    """Returns what a compute target complains of, quotas among it; "" where all is well."""
    properties = facts.get("properties") or {}
    said = list(dict.fromkeys(_complaints(properties)))
    return f"{facts.get('name')}: {'; '.join(said)}" if said else ""


def _complaints(properties: Mapping[str, Any]) -> Iterator[str]:
    details = properties.get("properties") or {}
    for each in [*(properties.get("provisioningErrors") or []), *(details.get("errors") or [])]:
        error = each.get("error") or {}
        words = " ".join(str(error.get("message") or "").split()).rstrip(".")
        code = str(error.get("code") or "")
        yield f"{words} ({code})" if words and code else words or code or "an error without a name"


def _gpus_of(size: str, location: str, place: AmlPlace, requests: AzureRequests) -> int | None:
    """Returns how many GPUs a machine of a size has, None where that cannot be found out."""
    provider = place.path.partition("/resourceGroups/")[0] + "/providers/Microsoft.MachineLearningServices"
    try:
        answer = requests.get(f"{provider}/locations/{location}/vmSizes", "the sizes of machines")
    except (AzureRefusedError, PlatformAwayError) as error:
        logging.getLogger(__name__).info("how many GPUs a node has is not known: %s", error)
        return None
    for each in answer.get("value") or answer.get("amlCompute") or []:
        if str(each.get("name", "")).lower() == size.lower() and each.get("gpus") is not None:
            return int(each["gpus"])
    return None
