"""Storage that trials on several machines share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from nni_config.base import ConfigBase
from nni_config.checks import check_directory, check_host, check_not_blank, check_url
from nni_config.fields import PathLike, SecretText, required
from nni_config.names import comparable, short
from nni_config.problems import Report

FIELDS_BY_TYPE = {
    "NFS": ("nfs_server", "exported_directory"),
    "AzureBlob": (
        "storage_account_name",
        "container_name",
        "storage_account_key",
        "storage_sas_token",
        "storage_account_url",
    ),
}
"""The kinds of storage, each with its own fields. Those of the other must not be set."""

OPTIONAL_FIELDS = ("storage_account_key", "storage_sas_token", "storage_account_url")


class SharedStorageConfig(ConfigBase):
    """A storage that trials on several machines share, of either kind.

    Attributes:
        storage_type: The kind of storage. Rule: "NFS" or "AzureBlob".
        local_mount_point: Where it is mounted on this machine. Rule: with usermount, an existing folder.
        remote_mount_point: Where it is mounted where trials run. Rule: not blank.
        local_mounted: "usermount" if it is mounted on this machine already, "nnimount" to have it mounted,
            "nomount" if it is not.
        storage_account_name: The storage account in Azure. Rule: not blank; needed for AzureBlob, only there.
        storage_account_key: The account's key. Rule: not blank; only for AzureBlob. Without it and without
            storage_sas_token whoever is signed in to Azure on this machine is used.
        storage_sas_token: A shared access signature of the container or the account, instead of the key.
            Rule: not blank; only for AzureBlob; not beside storage_account_key.
        storage_account_url: Where the account is reached. None is
            https://<storage_account_name>.blob.core.windows.net. Rule: a URL with http or https; not
            blank; only for AzureBlob.
        container_name: The container in the account. Rule: not blank; needed for AzureBlob, only there.
        nfs_server: The NFS server. Rule: the name or address of a machine; not blank; needed for NFS, only
            there.
        exported_directory: The folder that the NFS server exports. Rule: not blank; needed for NFS, only
            there.
    """

    _place: ClassVar[str | None] = "shared_storage"

    storage_type: str = required()
    local_mount_point: PathLike = required()
    remote_mount_point: str = required()
    local_mounted: Literal["usermount", "nnimount", "nomount"] = required()
    storage_account_name: str | None = None
    storage_account_key: SecretText | None = None
    storage_sas_token: SecretText | None = None
    storage_account_url: str | None = None
    container_name: str | None = None
    nfs_server: str | None = None
    exported_directory: str | None = None

    @classmethod
    def _from_mapping(cls, mapping: Mapping[Any, Any]) -> ConfigBase:
        kinds = [value for key, value in mapping.items() if comparable(str(key)) == "storagetype"]
        fitting = _CLASSES.get(kinds[0]) if kinds and isinstance(kinds[0], str) else None
        if cls is SharedStorageConfig and fitting is not None:
            return fitting._from_mapping(mapping)
        return super()._from_mapping(mapping)

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        if report.has_problem("storage_type"):
            return
        if self.storage_type is not None and self.storage_type not in FIELDS_BY_TYPE:
            message = f'{short(self.storage_type)} is no kind of storage; allowed are "NFS" and "AzureBlob"'
            report.add(message, "storage_type")
            return
        for kind, names in FIELDS_BY_TYPE.items():
            for name in names:
                is_set = getattr(self, name) is not None
                if kind == self.storage_type and not is_set and name not in OPTIONAL_FIELDS:
                    report.add(f"it is not set; a storage of the type {kind} needs it", name)
                elif kind != self.storage_type and is_set and self.storage_type is not None:
                    report.add(f"it is for the type {kind}; the type here is {self.storage_type}", name)
            check_not_blank(self, report, *names)
        if self.storage_account_key is not None and self.storage_sas_token is not None:
            report.add("it is set beside storage_account_key; allowed is one of them", "storage_sas_token")
        check_url(self, "storage_account_url", report)
        check_host(self, "nfs_server", report)
        check_not_blank(self, report, "remote_mount_point")
        if self.local_mounted == "usermount":
            check_directory(self, "local_mount_point", report)


class NfsConfig(SharedStorageConfig):
    """A folder that an NFS server exports, shared by trials on several machines."""

    storage_type: str = "NFS"


class AzureBlobConfig(SharedStorageConfig):
    """A container of Azure Blob storage, shared by trials on several machines."""

    storage_type: str = "AzureBlob"


_CLASSES: dict[str, type[SharedStorageConfig]] = {"NFS": NfsConfig, "AzureBlob": AzureBlobConfig}
