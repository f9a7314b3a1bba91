"""What is found out before the first job: whether OpenPAI has, and gives, what the configuration names."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

from nni_config.openpai import OpenpaiConfig
from nni_config.openpai_job import memory_mebibytes, virtual_cluster_of

from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.openpai.api import Answer, OpenPaiApi
from nni_manager.training.openpai.token import Token

_LOG = logging.getLogger(__name__)
_SOON = timedelta(days=2)


async def check_platform(api: OpenPaiApi, config: OpenpaiConfig, settings: Mapping[str, Any]) -> str:
    """Checks account, virtual cluster and storage.

    Args:
        api: Asks OpenPAI.
        config: The canonical configuration.
        settings: The user's own settings of jobs.

    Returns:
        What the storage is, for messages.

    Raises:
        TrainingServiceError: Something is not there, or not for this user.
        PlatformAwayError: OpenPAI does not answer.
    """
    info = _checked(await api.ask("GET", "/api/v2/info"), "host")
    if isinstance(info, Mapping) and info.get("launcherType") == "yarn":
        raise TrainingServiceError(
            f"host: {api.portal} is an OpenPAI that runs on YARN; allowed is one that runs on Kubernetes"
        )
    user = await _user(api, config)
    await _check_virtual_cluster(api, config, settings, user)
    return await _storage(api, config)


def warn_of_expiry(token: Token) -> None:
    """Logs that a token ends soon."""
    expiry = token.expiry()
    if expiry is not None and expiry - datetime.now(timezone.utc) < _SOON:
        _LOG.warning(
            "OpenPAI's token ends on %s UTC: an application token, made on the profile page, does not end",
            f"{expiry:%Y-%m-%d %H:%M}",
        )


async def _user(api: OpenPaiApi, config: OpenpaiConfig) -> Mapping[str, Any]:
    answer = await api.ask("GET", f"/api/v2/users/{quote(config.username, safe='')}")
    if answer.status == 404:
        raise TrainingServiceError(f"username: OpenPAI at {api.portal} does not know {config.username!r}")
    if answer.status == 403:
        return {}  # some tokens may run jobs and not read this
    found = _checked(answer, "username")
    return found if isinstance(found, Mapping) else {}


async def _check_virtual_cluster(
    api: OpenPaiApi, config: OpenpaiConfig, settings: Mapping[str, Any], user: Mapping[str, Any]
) -> None:
    name = virtual_cluster_of(config, settings)
    own = [str(each) for each in user.get("virtualCluster") or []]
    available = f"; {config.username} may use: {', '.join(own)}" if own else ""
    answer = await api.ask("GET", f"/api/v2/virtual-clusters/{quote(name, safe='')}")
    if answer.status == 404:
        raise TrainingServiceError(f"virtual_cluster: OpenPAI has no {name!r}{available}")
    found = _checked(answer, "virtual_cluster")
    if own and name not in own and not user.get("admin"):
        raise TrainingServiceError(f"virtual_cluster: {config.username} may not use {name!r}{available}")
    total = found.get("resourcesTotal") if isinstance(found, Mapping) else None
    if not isinstance(total, Mapping):
        return
    wanted = {
        "cpu": ("trial_cpu_number", config.trial_cpu_number, "CPUs"),
        "gpu": ("trial_gpu_number", config.trial_gpu_number or 0, "GPUs"),
        "memory": ("trial_memory_size", memory_mebibytes(config.trial_memory_size), "MiB of memory"),
    }
    lent = _lent(found)
    for key, (field, number, unit) in wanted.items():
        there = total.get(key)
        if isinstance(there, (int, float)) and number > there * lent:
            raise TrainingServiceError(
                f"{field}: a trial wants {number} {unit}, and virtual cluster {name!r} has {there} in all"
            )


def _lent(cluster: Mapping[str, Any]) -> float:
    """Returns how many times its own part a virtual cluster may have while others leave theirs."""
    capacity, most = cluster.get("capacity"), cluster.get("maxCapacity")
    if isinstance(capacity, (int, float)) and isinstance(most, (int, float)) and 0 < capacity < most:
        return most / capacity
    return 1.0


async def _storage(api: OpenPaiApi, config: OpenpaiConfig) -> str:
    name = config.storage_config_name
    listed = _checked(await api.ask("GET", "/api/v2/storages"), "storage_config_name")
    storages = listed.get("storages") if isinstance(listed, Mapping) else None
    names = [str(each.get("name")) for each in storages or [] if isinstance(each, Mapping)]
    if name not in names:
        have = f"there are: {', '.join(names)}" if names else "there are none"
        raise TrainingServiceError(
            f"storage_config_name: OpenPAI has no storage {name!r} for {config.username}; {have}"
        )
    answer = await api.ask("GET", f"/api/v2/storages/{quote(name, safe='')}")
    detail = answer.content if answer.is_good and isinstance(answer.content, Mapping) else {}
    if detail.get("readOnly"):
        raise TrainingServiceError(f"storage_config_name: {name!r} is for reading only; allowed is another")
    is_own = any(each.get("name") == name and each.get("share") is False for each in storages or [])
    part = f", of which jobs see the folder {config.username}," if is_own else ""
    return f'OpenPAI\'s storage "{name}"{_source(detail)}{part}'


def _source(detail: Mapping[str, Any]) -> str:
    data = detail.get("data")
    if not isinstance(data, Mapping):
        return ""
    if detail.get("type") == "nfs":
        return f" (NFS {data.get('server')}:{data.get('path')})"
    place = data.get("address") or data.get("shareName") or data.get("containerName")
    return f" ({detail.get('type')} {place})" if place else ""


def _checked(answer: Answer, field: str) -> Any:
    if not answer.is_good:
        said = answer.message or answer.code or "no reason"
        raise TrainingServiceError(f"{field}: OpenPAI refuses it: {said} ({answer.status})")
    return answer.content
