"""A shared storage, made of its configuration."""

from __future__ import annotations

from pathlib import Path

from nni_config.shared_storage import SharedStorageConfig

from nni_manager.shared_storage.azure_blob import Container, azure_storage
from nni_manager.shared_storage.interface import SharedStorage
from nni_manager.shared_storage.nfs import nfs_storage


def configured_storage(config: SharedStorageConfig, experiment_id: str) -> SharedStorage:
    """Returns the storage of a configuration, for one experiment; nothing is done with it yet.

    Args:
        config: The configuration.
        experiment_id: The experiment.

    Raises:
        SharedStorageError: It cannot be used like that.
    """
    local_mount_point = Path(config.local_mount_point)
    if config.storage_type == "NFS":
        return nfs_storage(
            server=config.nfs_server or "",
            exported_directory=config.exported_directory or "",
            local_mount_point=local_mount_point,
            remote_mount_point=config.remote_mount_point,
            local_mounted=config.local_mounted,
            experiment_id=experiment_id,
        )
    container = Container(
        account=config.storage_account_name or "",
        name=config.container_name or "",
        url=config.storage_account_url or "",
        key=config.storage_account_key or "",
        sas_token=config.storage_sas_token or "",
    )
    return azure_storage(
        container,
        local_mount_point=local_mount_point,
        remote_mount_point=config.remote_mount_point,
        local_mounted=config.local_mounted,
        experiment_id=experiment_id,
    )
