"""The files that jobs and the manager share, in blob containers that jobs reach by a signature."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nni_manager.shared_storage.azure_blob import AzureBlobStorage, Container, container_client
from nni_manager.shared_storage.azure_files import AzureFiles
from nni_manager.shared_storage.interface import SharedFiles, SharedStorageError, StorageAwayError
from nni_manager.training.aml.job_names import to_azure
from nni_manager.training.aml.workspace import Datastore
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.platform import PlatformAwayError

OWN_FOLDER = "azure_ml"
"""Where in the experiment's folder of the workspace's container what Azure ML hands to jobs is put."""

SIGN_AGAIN_SECONDS = 6 * 3600.0
"""After how long the jobs' access is signed anew; running jobs look for that as often."""

RENEWAL = f"{OWN_FOLDER}/access.json"
"""Where running jobs find the latest access."""


class AmlBlobs:
    """The workspace's container, and the experiment's shared storage if it has one."""

    def __init__(self, datastore: Datastore, folder: str, shared: Container | None) -> None:
        """Asks nothing yet.

        Args:
            datastore: The workspace's container.
            folder: The experiment's folder, below `nni` in a container.
            shared: The container of the experiment's shared storage, None for the workspace's.

        Raises:
            TrainingServiceError: The libraries for it are missing.
        """
        own = datastore.container
        if shared is not None and shared.url and shared.account == own.account:
            own = replace(own, url=shared.url)
        self._datastore = datastore.name
        self._prefix = f"nni/{folder}"
        try:
            # Nothing is mounted: where is of no account.
            self._own = AzureBlobStorage(own, "/mnt", folder, ())
            is_own = shared is None or (shared.account, shared.name) == (own.account, own.name)
            self._shared = (
                self._own if shared is None or is_own else AzureBlobStorage(shared, "/mnt", folder, ())
            )
        except SharedStorageError as error:
            raise TrainingServiceError(str(error)) from None
        self._url = own.url
        self._access = ""
        self._signed_at = -math.inf

    @property
    def files(self) -> SharedFiles:
        """The experiment's files."""
        return self._shared.files

    @property
    def stored(self) -> tuple[SharedFiles, ...]:
        """The experiment's folders: the one with its files, and that in the workspace's container."""
        return tuple({id(each): each.files for each in (self._shared, self._own)}.values())

    @property
    def access(self) -> str:
        """What a job needs to reach them, as it was signed last. It is secret."""
        return self._access

    async def open(self) -> None:
        """Tries the containers.

        Raises:
            PlatformAwayError: One of them does not answer.
            TrainingServiceError: One of them cannot be used.
        """
        try:
            await self._own.open()
            if self._shared is not self._own:
                await self._shared.open()
            self._access = await self._signed()
        except StorageAwayError as error:
            raise PlatformAwayError(f"what trials share cannot be put there: {error}") from None
        except SharedStorageError as error:
            raise TrainingServiceError(
                f"what trials share cannot be put there: {error}; whoever is signed in needs the role "
                "Storage Blob Data Contributor there, or the datastore the account's key"
            ) from None

    async def sign(self) -> str:
        """Returns what a job needs to reach the files, valid for some days; running jobs get it too.

        Raises:
            SharedStorageError: Azure gives no signature, or it cannot be put there.
        """
        now = time.monotonic()
        if now - self._signed_at > SIGN_AGAIN_SECONDS:
            access = await self._signed()
            await asyncio.to_thread(self._shared.files.write, RENEWAL, access.encode())
            self._access, self._signed_at = access, now
        return self._access

    def bring(self, archives: Mapping[str, Path]) -> str:
        """Uploads files that are not there yet; returns the folder they are in, as an input of a job.

        Raises:
            SharedStorageError: They cannot be put there.
            OSError: They cannot be read.
        """
        digest = hashlib.sha256()
        for name, path in sorted(archives.items()):
            digest.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
        folder = f"{OWN_FOLDER}/archives/{digest.hexdigest()[:16]}"
        for name, path in archives.items():
            if self._own.files.size(f"{folder}/{name}") != path.stat().st_size:
                self._own.files.upload(path, f"{folder}/{name}")
        return f"{self._input(folder)}/"

    def put(self, job: str, script: bytes) -> str:
        """Writes the script that a job begins with; returns where it is, as an input of the job.

        Raises:
            SharedStorageError: It cannot be put there.
        """
        name = f"{OWN_FOLDER}/jobs/{job}/start.sh"
        self._own.files.write(name, script)
        return self._input(name)

    def remove(self, job: str) -> None:
        """Removes the script of a job.

        Raises:
            SharedStorageError: It is still there.
        """
        self._own.files.remove(f"{OWN_FOLDER}/jobs/{job}/start.sh")

    def artifacts(self, datastore: Datastore, job: str) -> AzureFiles:
        """Returns what Azure ML keeps of a job.

        Args:
            datastore: Where it keeps that; its account is the workspace's.
            job: The job.
        """
        container = replace(datastore.container, url=self._url)
        return AzureFiles(container_client(container), f"ExperimentRun/dcid.{to_azure(job)}")

    async def close(self) -> None:
        """Ends the connections, and removes what was written to try them."""
        await self._own.close()
        if self._shared is not self._own:
            await self._shared.close()

    async def _signed(self) -> str:
        signed = json.loads(await self._shared.transfer_input())
        return json.dumps({**signed, "renewal": RENEWAL})

    def _input(self, name: str) -> str:
        return f"azureml://datastores/{self._datastore}/paths/{self._prefix}/{name}"
