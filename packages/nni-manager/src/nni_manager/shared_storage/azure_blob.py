"""A container of Azure Blob storage: mounted, or used by upload and download."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nni_manager.shared_storage.azure_files import AzureFiles, explained
from nni_manager.shared_storage.interface import (
    Machine,
    MachineFolder,
    SharedFiles,
    SharedStorage,
    SharedStorageError,
    StorageAwayError,
    first_line,
)
from nni_manager.shared_storage.mounted_storage import MachineMounts, MountedStorage
from nni_manager.shared_storage.mounting import MountProgram
from nni_manager.shared_storage.probe import Probe

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

SIGNATURE_SECONDS = 6 * 24 * 3600.0
"""How long what machines are given to reach the container is valid. A week is the most that Azure allows."""

_EARLIER_SECONDS = 900.0
"""Since when it is valid: clocks differ."""

_REMOTE = "NNIBLOB"
_SCOPE = "https://storage.azure.com/.default"
_BLOBFUSE_OPTIONS = (
    # What others have written is to be seen soon; each of these is two minutes otherwise.
    "--file-cache-timeout=0",
    *(f"--{what}-timeout=1" for what in ("attr", "entry", "negative", "attr-cache")),
    # Folders are seen that something else than a mount has put files into.
    "--virtual-directory=true",
)
_ADVICE_OF_AZURE = re.compile(r"\. (?:Visit|Please|See|You must)\b")


@dataclass(frozen=True, slots=True)
class Container:
    """A container and how it is reached.

    Attributes:
        account: The storage account.
        name: The container.
        url: Where the account is reached, "" for where Azure has it.
        key: The account's key, "" for none.
        sas_token: A shared access signature, "" for none. Without both, who is signed in to Azure here.
    """

    account: str
    name: str
    url: str = ""
    key: str = field(default="", repr=False)
    sas_token: str = field(default="", repr=False)

    @property
    def account_url(self) -> str:
        """Where the account is reached."""
        return (self.url or f"https://{self.account}.blob.core.windows.net").rstrip("/")

    @property
    def signature(self) -> str:
        """The shared access signature without "?"."""
        return self.sas_token.lstrip("?")

    def __str__(self) -> str:
        return f"{self.account_url}/{self.name}"


def azure_storage(
    container: Container,
    *,
    local_mount_point: Path,
    remote_mount_point: str,
    local_mounted: str,
    experiment_id: str,
    programs: Sequence[MountProgram] = (),
) -> SharedStorage:
    """Returns the storage of an AzureBlobConfig.

    Args:
        container: The container.
        local_mount_point: Where it is or will be mounted here.
        remote_mount_point: The same on the machines that trials run on.
        local_mounted: "usermount", "nnimount" or "nomount".
        experiment_id: The experiment.
        programs: What mounts it in place of blobfuse2 or rclone.

    Raises:
        SharedStorageError: It cannot be used like that.
    """
    programs = programs or mount_programs(container)
    if local_mounted == "nomount":
        return AzureBlobStorage(container, remote_mount_point, experiment_id, programs)
    if local_mounted == "nnimount" and not programs:
        raise SharedStorageError(
            "shared_storage.local_mounted: nnimount needs storage_account_key or storage_sas_token; allowed "
            "without them is usermount, or nomount"
        )
    return MountedStorage(
        source=str(container),
        programs=programs,
        local_mount_point=local_mount_point,
        remote_mount_point=remote_mount_point,
        experiment_id=experiment_id,
        mounts_here=local_mounted == "nnimount",
    )


def mount_programs(container: Container) -> list[MountProgram]:
    """Returns what can mount a container: blobfuse2, else rclone; nothing without a key or a signature."""
    if not container.key and not container.signature:
        return []
    secret = (
        {"AZURE_STORAGE_ACCESS_KEY": container.key, "AZURE_STORAGE_AUTH_TYPE": "key"}
        if container.key
        else {"AZURE_STORAGE_SAS_TOKEN": container.signature, "AZURE_STORAGE_AUTH_TYPE": "sas"}
    )
    endpoint = {"AZURE_STORAGE_BLOB_ENDPOINT": container.account_url} if container.url else {}
    start = 'umask 077; point=$1; shift; exec blobfuse2 mount "$point" --tmp-path="$(mktemp -d)" "$@"'
    blobfuse = MountProgram(
        ("sh", "-c", start, "sh", "{point}", f"--container-name={container.name}", *_BLOBFUSE_OPTIONS),
        needs_root=False,
        tool="blobfuse2",
        secrets={"AZURE_STORAGE_ACCOUNT": container.account, **secret, **endpoint},
        unmount=("fusermount3", "-u", "{point}"),
    )
    options = ("--daemon", "--vfs-cache-mode=writes", "--vfs-write-back=1s", "--dir-cache-time=1s")
    settings = {"TYPE": "azureblob", "ACCOUNT": container.account}
    if container.key:
        settings |= {"KEY": container.key, "ENDPOINT": container.url}
    else:
        settings |= {"SAS_URL": f"{container}?{container.signature}"}
    rclone = MountProgram(
        ("rclone", "mount", f"{_REMOTE}:{container.name}", "{point}", "--config=", *options),
        needs_root=False,
        secrets={f"RCLONE_CONFIG_{_REMOTE}_{name}": value for name, value in settings.items() if value},
        unmount=("fusermount3", "-u", "{point}"),
    )
    return [blobfuse, rclone]


class AzureBlobStorage:
    """Keeps the promises of SharedStorage where the container is not mounted on this machine."""

    def __init__(
        self,
        container: Container,
        remote_mount_point: str,
        experiment_id: str,
        programs: Sequence[MountProgram],
    ) -> None:
        """Makes a storage that is not open yet.

        Args:
            container: The container.
            remote_mount_point: Where it is mounted on the machines that trials run on, absolute. Where it is
                not and cannot be, it is a folder that is sent and fetched.
            experiment_id: The experiment.
            programs: What may mount it there.

        Raises:
            SharedStorageError: The libraries for it are missing, or the mount point is not absolute.
        """
        self._container = container
        self._prefix = f"nni/{experiment_id}"
        self._machines = MachineMounts(str(container), programs, remote_mount_point, experiment_id)
        self._client = container_client(container)
        self._files = AzureFiles(self._client, self._prefix)
        self._probe = Probe(self._files, lambda: "")

    @property
    def local_directory(self) -> None:
        """Nothing is mounted here."""
        return None

    @property
    def remote_directory(self) -> str:
        """The experiment's folder on the machines that trials run on."""
        return self._machines.directory

    @property
    def files(self) -> SharedFiles:
        """The files in it."""
        return self._files

    async def open(self) -> None:
        """Tries it.

        Raises:
            StorageAwayError: It does not answer.
            SharedStorageError: It cannot be used.
        """
        try:
            await asyncio.to_thread(self._sign_in)
            await self._probe.try_here()
        except SharedStorageError as error:
            kind = StorageAwayError if isinstance(error, StorageAwayError) else SharedStorageError
            raise kind(f"{self._container}: {error}") from None

    async def open_machine(self, machine: Machine) -> MachineFolder:
        """Mounts it on a machine if it is not and can be, and tries whether both see the same.

        Raises:
            SharedStorageError: It cannot be used there.
        """
        folder = await self._machines.open(machine, self._probe)
        if folder is not None:
            return folder
        path = shlex.quote(self.remote_directory)
        result = await machine.run(f"umask 077; mkdir -p {path} && test -w {path}")
        if result.exit_code != 0:
            raise SharedStorageError(
                f"{machine.name}: {self._container} is not mounted there, and {self.remote_directory}, where "
                f"its files are put then, cannot be made: {first_line(result.stderr) or 'not writable'}"
            )
        return MachineFolder(self.remote_directory, is_shared=False)

    async def transfer_input(self) -> bytes:
        """Returns the standard input of `python -m nni.blob_transfer`, valid for some days.

        Raises:
            SharedStorageError: Azure gives no signature.
        """
        signature = await asyncio.to_thread(self._signature)
        return json.dumps({"url": f"{self._container}?{signature}", "prefix": self._prefix}).encode()

    async def close_machine(self, machine: Machine) -> None:
        """Unmounts what was mounted there, unless it is in use. Problems are logged."""
        await self._machines.close(machine)

    async def close(self) -> None:
        """Removes what was written to try it."""
        await self._probe.remove()
        await asyncio.to_thread(self._client.close)

    def _sign_in(self) -> None:
        """Asks for a first token: one that is missing would be asked for again and again by each request."""
        from azure.core.exceptions import AzureError

        if self._container.key or self._container.signature:
            return
        try:
            self._client.credential.get_token(_SCOPE)
        except AzureError as error:
            tried = re.findall(r"^\t(\w+)Credential: (.+?)\.?$", str(error), re.MULTILINE)
            reasons = "; ".join(f"{name}: {_ADVICE_OF_AZURE.split(said)[0]}" for name, said in tried)
            raise SharedStorageError(
                "nobody is signed in to Azure on this machine; sign in (az login), or set "
                f"storage_account_key or storage_sas_token. What was tried: {reasons or error}"
            ) from None

    def _signature(self) -> str:
        if self._container.signature:
            return self._container.signature
        from azure.storage.blob import ContainerSasPermissions, generate_container_sas

        start, end = (
            datetime.fromtimestamp(time.time() + seconds, timezone.utc)
            for seconds in (-_EARLIER_SECONDS, SIGNATURE_SECONDS)
        )
        with_key: dict[str, Any] = {"account_key": self._container.key}
        if not self._container.key:
            with explained("signed for", self._container.name):
                key = _service(self._container).get_user_delegation_key(start, end)
            with_key = {"user_delegation_key": key}
        return generate_container_sas(
            self._container.account,
            self._container.name,
            permission=ContainerSasPermissions(
                read=True, add=True, create=True, write=True, delete=True, list=True
            ),
            start=start,
            expiry=end,
            **with_key,
        )


def container_client(container: Container) -> ContainerClient:
    """Returns what speaks with a container; nothing is asked yet.

    Raises:
        SharedStorageError: The libraries for it are missing.
    """
    client: ContainerClient = _service(container).get_container_client(container.name)
    return client


def _service(container: Container) -> Any:
    try:
        from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
        from azure.identity import DefaultAzureCredential
        from azure.storage.blob import BlobServiceClient, ExponentialRetry
    except ImportError as error:
        raise SharedStorageError(
            f"shared_storage of the type AzureBlob needs the package {error.name}, which is not installed; "
            "pip install 'nni-manager[azure]' brings it"
        ) from error
    # These log every request, with its address, at INFO and DEBUG.
    for name in ("azure", "urllib3", "msal"):
        logging.getLogger(name).setLevel(logging.WARNING)
    credential: Any
    if container.key:
        credential = AzureNamedKeyCredential(container.account, container.key)
    elif container.signature:
        credential = AzureSasCredential(container.signature)
    else:
        credential = DefaultAzureCredential()
        if urlsplit(container.account_url).scheme != "https":
            raise SharedStorageError(
                "shared_storage.storage_account_url: a server without TLS is not told who is signed in to "
                "Azure; allowed is https, or storage_account_key"
            )
    return BlobServiceClient(
        container.account_url,
        credential=credential,
        retry_policy=ExponentialRetry(initial_backoff=1, increment_base=3, retry_total=4),
        connection_timeout=10,
        read_timeout=60,
    )
