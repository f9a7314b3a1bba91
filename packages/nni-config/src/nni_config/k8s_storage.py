"""The storage that trials on Kubernetes share with the manager."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from nni_config.base import ConfigBase
from nni_config.checks import check_not_blank
from nni_config.fields import required
from nni_config.names import comparable, short
from nni_config.problems import InvalidConfigError, Problem, Report

FIELDS_BY_TYPE = {
    "nfs": ("server", "path"),
    "azureStorage": ("azure_account", "azure_share", "key_vault_name", "key_vault_key"),
}
"""The kinds of storage, each with the fields that it needs. The fields of the other must not be set."""


class K8sStorageConfig(ConfigBase):
    """A storage for trials on Kubernetes, of either kind.

    Attributes:
        storage_type: The kind of storage. Rule: "nfs" or "azureStorage".
        azure_account: The storage account. Rule: not blank; needed for azureStorage, only there.
        azure_share: The file share. Rule: not blank; needed for azureStorage, only there.
        key_vault_name: The key vault that holds the account's key. Rule: not blank; needed for azureStorage,
            only there.
        key_vault_key: The name of the key in the vault. Rule: not blank; needed for azureStorage, only there.
        server: The NFS server. Rule: not blank; needed for nfs, only there.
        path: The folder that the NFS server exports. Rule: not blank; needed for nfs, only there.
    """

    _place: ClassVar[str | None] = "training_service.storage"

    storage_type: str = required()
    azure_account: str | None = None
    azure_share: str | None = None
    key_vault_name: str | None = None
    key_vault_key: str | None = None
    server: str | None = None
    path: str | None = None

    @classmethod
    def _from_mapping(cls, mapping: Mapping[Any, Any]) -> ConfigBase:
        kinds = [value for key, value in mapping.items() if comparable(str(key)) == "storage"]
        if cls is not K8sStorageConfig or not kinds or kinds[0] is None:
            return super()._from_mapping(mapping)
        fitting = _CLASSES.get(kinds[0]) if isinstance(kinds[0], str) else None
        if fitting is None:
            raise InvalidConfigError([Problem(("storage",), _refusal(kinds[0]))])
        return fitting._from_mapping(mapping)

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        if self.storage_type is None or report.has_problem("storage_type"):
            return
        if self.storage_type not in FIELDS_BY_TYPE:
            report.add(_refusal(self.storage_type), "storage_type")
            return
        kind_of_class = type(self).model_fields["storage_type"].default
        if kind_of_class not in (None, self.storage_type):
            message = f"it is {self.storage_type} and the storage is {kind_of_class}; allowed is the same"
            report.add(message, "storage_type")
            return
        for kind, names in FIELDS_BY_TYPE.items():
            for name in names:
                if kind == self.storage_type and getattr(self, name) is None:
                    report.add(f"it is not set; a storage of the type {kind} needs it", name)
                elif kind != self.storage_type and getattr(self, name) is not None:
                    report.add(f"it is for the type {kind}; the type here is {self.storage_type}", name)
            check_not_blank(self, report, *names)


def _refusal(kind: object) -> str:
    return f'{short(kind)} is no kind of storage; allowed are "azureStorage" and "nfs"'


class K8sNfsConfig(K8sStorageConfig):
    """A folder that an NFS server exports, for trials on Kubernetes.

    Attributes:
        storage: The kind of storage, once more. It tells this class from the other.
    """

    storage_type: str = "nfs"
    storage: Literal["nfs"] = "nfs"


class K8sAzureStorageConfig(K8sStorageConfig):
    """A share of Azure Files, for trials on Kubernetes.

    Attributes:
        storage: The kind of storage, once more. It tells this class from the other.
    """

    storage_type: str = "azureStorage"
    storage: Literal["azureStorage"] = "azureStorage"


_CLASSES: dict[str, type[K8sStorageConfig]] = {"nfs": K8sNfsConfig, "azureStorage": K8sAzureStorageConfig}
