"""The files of an experiment in a container of Azure Blob storage, where nothing is mounted."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nni_manager.shared_storage.interface import SharedStorageError, StorageAwayError, checked_name

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError
    from azure.storage.blob import BlobClient, ContainerClient

APPEND_BYTES = 4 << 20
"""How much is added to a file by one request."""

_SERVER_ERROR = 500
_SIGNATURE = re.compile(r"(\bsig=)[^&\s\"']+")


class AzureFiles:
    """Keeps the promises of SharedFiles for a folder in a container."""

    costs_requests = True

    def __init__(self, container: ContainerClient, prefix: str) -> None:
        """Names the folder.

        Args:
            container: The container.
            prefix: The folder in it, without "/" at its end.
        """
        self._container = container
        self._prefix = f"{prefix}/"

    def read(self, name: str, offset: int = 0, limit: int | None = None) -> bytes:
        """Returns what a file holds from a position on; b"" where there is nothing."""
        from azure.core.exceptions import HttpResponseError

        with explained("read", name):
            try:
                return self._blob(name).download_blob(offset=offset, length=limit).readall()
            except HttpResponseError as error:
                # 416: the file ends before that.
                if _is_missing(error) or error.status_code == 416:
                    return b""
                raise

    def write(self, name: str, data: bytes) -> None:
        """Writes a file, whole or not at all."""
        with explained("written", name):
            self._blob(name).upload_blob(data, overwrite=True)

    def append(self, name: str, data: bytes, position: int) -> None:
        """Adds to a file that holds so many bytes."""
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceExistsError, ResourceModifiedError

        blob = self._blob(name)
        if position == 0:
            with explained("written", name), contextlib.suppress(ResourceExistsError, ResourceModifiedError):
                blob.create_append_blob(match_condition=MatchConditions.IfMissing)
        for start in range(0, len(data), APPEND_BYTES):
            self._append_block(name, data[start : start + APPEND_BYTES], position + start)

    def upload(self, local: Path, name: str) -> None:
        """Puts a local file there, whole or not at all."""
        with local.open("rb") as source, explained("written", name):
            self._blob(name).upload_blob(source, overwrite=True, max_concurrency=4)

    def download(self, name: str, local: Path) -> None:
        """Fetches a file to a local place; it appears there when it is complete."""
        descriptor, unfinished = tempfile.mkstemp(dir=local.parent, prefix=".nni-")
        try:
            with os.fdopen(descriptor, "wb") as target, explained("read", name):
                self._blob(name).download_blob(max_concurrency=4).readinto(target)
            Path(unfinished).replace(local)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(unfinished).unlink()
            raise

    def size(self, name: str) -> int:
        """Returns how many bytes a file has, 0 where there is none."""
        from azure.core.exceptions import HttpResponseError

        with explained("read", name):
            try:
                return int(self._blob(name).get_blob_properties().size)
            except HttpResponseError as error:
                if _is_missing(error):
                    return 0
                raise

    def names(self, folder: str = "") -> list[str]:
        """Returns the files in a folder, and in those below it, sorted."""
        return sorted(self.sizes(folder))

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Returns the files in a folder, and in those below it, with their sizes, by one listing."""
        prefix = f"{self._prefix}{checked_name(folder)}/" if folder else self._prefix
        with explained("listed", folder or "."):
            return {
                blob.name.removeprefix(self._prefix): int(blob.size)
                for blob in self._container.list_blobs(name_starts_with=prefix, include=["metadata"])
                # What mounts a container leaves an empty file there for each folder.
                if not blob.name.endswith("/") and (blob.metadata or {}).get("hdi_isfolder") != "true"
            }

    def grown(self, folder: str, known: Mapping[str, int]) -> set[str]:
        """Returns which files hold more than so many bytes, by one listing."""
        sizes = self.sizes(folder)
        return {name for name, size in known.items() if sizes.get(name, 0) > size}

    def remove(self, name: str) -> None:
        """Removes a file, or a folder with all that is in it."""
        from azure.core.exceptions import ResourceNotFoundError

        checked_name(name)
        with explained("removed", name):
            for each in [*self.names(name), name]:
                with contextlib.suppress(ResourceNotFoundError):
                    self._blob(each).delete_blob()

    def remove_empty_folders(self) -> None:
        """Does nothing: a container has no folders, only names with "/"."""

    def _append_block(self, name: str, data: bytes, position: int) -> None:
        from azure.core.exceptions import HttpResponseError

        with explained("written", name):
            try:
                self._blob(name).append_block(data, appendpos_condition=position)
            except HttpResponseError as error:
                if error.status_code != 412:
                    raise
                if self.read(name, position, len(data)) != data:
                    raise SharedStorageError(
                        f"{name} has {self.size(name)} bytes and {position} were expected: somebody else "
                        "writes to it"
                    ) from None

    def _blob(self, name: str) -> BlobClient:
        return self._container.get_blob_client(self._prefix + checked_name(name))


@contextlib.contextmanager
def explained(what: str, name: str) -> Iterator[None]:
    """Raises SharedStorageError, which has no signature in it, for what goes wrong with a file.

    Args:
        what: What is done with it: "read" and so on.
        name: Its name.

    Raises:
        StorageAwayError: There was no answer, or one that the service has a problem.
        SharedStorageError: The answer was no.
    """
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        code = getattr(error, "error_code", None)
        said = next(iter(str(error.message or error).splitlines()), "").strip().rstrip(".")
        reason = _SIGNATURE.sub(r"\1******", said) + (f" ({getattr(code, 'value', code)})" if code else "")
        # The cause would bring the whole address, signature and all, into every traceback.
        kind = StorageAwayError if _is_away(error) else SharedStorageError
        raise kind(f"{name} cannot be {what} in Azure Blob storage: {reason}") from None


def _is_away(error: AzureError) -> bool:
    from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError

    if isinstance(error, HttpResponseError):
        return error.status_code is not None and error.status_code >= _SERVER_ERROR
    return isinstance(error, (ServiceRequestError, ServiceResponseError))


def _is_missing(error: Exception) -> bool:
    code = getattr(error, "error_code", None)
    return getattr(code, "value", code) == "BlobNotFound" or (
        getattr(error, "status_code", 0) == 404 and code is None
    )
