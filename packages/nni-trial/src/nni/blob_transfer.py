"""Moves files to and from a container of Azure Blob storage, with the standard library alone.

`python -m nni.blob_transfer upload PATH NAME` puts a file or a folder there, `download NAME PATH` fetches
one, for jobs on machines where nothing is mounted. Standard input has, as JSON, what nobody else is to see:
`url`, the address of the container with a shared access signature, and `prefix`, the folder in it that names
are relative to.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import random
import stat
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple
from xml.etree import ElementTree

from nni.blob_error import BlobError

API_VERSION = "2020-10-02"

BLOCK_BYTES = 8 << 20
"""A larger file is sent in blocks of this size."""

APPEND_BYTES = 4 << 20
"""How much is added to a file by one request, the most that this version of the service allows."""

TIMEOUT_SECONDS = 60.0
ATTEMPTS = 5

_PARALLEL = 8
_CHUNK = 1 << 20
_PASSING = (408, 429, 500, 502, 503, 504)


class _Answer(NamedTuple):
    body: bytes
    headers: Any


class BlobContainer:
    """A folder in a container, reached with a shared access signature. All names are relative to it."""

    def __init__(self, url: str, prefix: str = "") -> None:
        """Names the folder; asks nothing yet.

        Args:
            url: The container's address, with the signature as its query.
            prefix: The folder in it, "" for the whole container.

        Raises:
            ValueError: It is no such address.
        """
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or not parts.path.strip("/"):
            raise ValueError(
                "the url is not that of a container: https://<account>.../<container>?<signature>"
            )
        self._base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._signature = parts.query
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def __repr__(self) -> str:
        return f"BlobContainer({self._base!r}, {self._prefix!r})"

    def read(self, name: str, offset: int = 0, limit: Optional[int] = None) -> bytes:
        """Returns what a file holds from a position on, at most `limit` bytes; b"" where there is nothing.

        Raises:
            BlobError: It cannot be read.
        """
        end = "" if limit is None else str(offset + limit - 1)
        try:
            return self._ask("GET", name, headers={"Range": f"bytes={offset}-{end}"}).body
        except BlobError as error:
            if error.status in (404, 416) and error.code != "ContainerNotFound":
                return b""
            raise

    def size(self, name: str) -> int:
        """Returns how many bytes a file has, 0 where there is none.

        Raises:
            BlobError: It cannot be found out.
        """
        return self._facts(name)[0]

    def exists(self, name: str) -> bool:
        """Returns whether there is such a file.

        Raises:
            BlobError: It cannot be found out.
        """
        return self._facts(name)[1] != ""

    def write(self, name: str, data: bytes) -> None:
        """Writes a file, whole or not at all.

        Raises:
            BlobError: It cannot be written.
        """
        self._ask("PUT", name, data=data, headers={"x-ms-blob-type": "BlockBlob"})

    def append(self, name: str, data: bytes, position: int) -> None:
        """Adds to a file that holds so many bytes; doing it again, after an answer got lost, adds nothing.

        Raises:
            BlobError: It cannot be written, or has another length, so that somebody else writes to it.
        """
        if position == 0:
            self._begin(name)
        for start in range(0, len(data), APPEND_BYTES):
            self._append_block(name, data[start : start + APPEND_BYTES], position + start)

    def upload(self, path: str, name: str) -> int:
        """Puts a local file there, whole or not at all, and returns its size.

        Raises:
            BlobError: It cannot be written there.
            OSError: It cannot be read here.
        """
        with open(path, "rb") as file:
            first = file.read(BLOCK_BYTES)
            if len(first) < BLOCK_BYTES:
                self.write(name, first)
                return len(first)
            blocks: List[str] = []
            size, block = 0, first
            while block:
                identifier = base64.b64encode(b"%08d" % len(blocks)).decode("ascii")
                self._ask("PUT", name, {"comp": "block", "blockid": identifier}, block)
                blocks.append(identifier)
                size, block = size + len(block), file.read(BLOCK_BYTES)
        latest = "".join(f"<Latest>{identifier}</Latest>" for identifier in blocks)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{latest}</BlockList>'
        self._ask("PUT", name, {"comp": "blocklist"}, body.encode("ascii"))
        return size

    def download(self, name: str, path: str) -> int:
        """Fetches a file to a local path, whose folder exists, and returns its size.

        Raises:
            BlobError: It cannot be read there.
            OSError: It cannot be written here.
        """
        size, version = self._facts(name)
        if not version:
            raise BlobError(f"{name} does not exist", 404, "BlobNotFound")
        unfinished = f"{path}.{os.getpid()}.part"
        try:
            with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                for start in range(0, size, BLOCK_BYTES):
                    end = min(start + BLOCK_BYTES, size) - 1
                    # If-Match: pieces of two different files do not make one.
                    headers = {"Range": f"bytes={start}-{end}", "If-Match": version}
                    file.write(self._ask("GET", name, headers=headers).body)
            os.replace(unfinished, path)
        except BaseException:
            if os.path.exists(unfinished):
                os.remove(unfinished)
            raise
        return size

    def names(self, folder: str = "") -> List[str]:
        """Returns the files in a folder, and in those below it, sorted.

        Raises:
            BlobError: They cannot be listed.
        """
        prefix = self._prefix + (f"{folder.strip('/')}/" if folder.strip("/") else "")
        found: List[str] = []
        marker = ""
        while True:
            query = {"restype": "container", "comp": "list", "prefix": prefix, "marker": marker}
            query["include"] = "metadata"
            listing = ElementTree.fromstring(self._ask("GET", None, query).body)
            for blob in listing.iter("Blob"):
                name = blob.findtext("Name") or ""
                # What mounts a container leaves an empty file there for each folder.
                if not name.endswith("/") and blob.findtext("Metadata/hdi_isfolder") != "true":
                    found.append(name[len(self._prefix) :])
            marker = listing.findtext("NextMarker") or ""
            if not marker:
                return sorted(found)

    def remove(self, name: str) -> None:
        """Removes a file; one that does not exist is removed already.

        Raises:
            BlobError: It cannot be removed.
        """
        try:
            self._ask("DELETE", name)
        except BlobError as error:
            if error.status != 404:
                raise

    def _begin(self, name: str) -> None:
        headers = {"x-ms-blob-type": "AppendBlob", "If-None-Match": "*"}
        try:
            self._ask("PUT", name, data=b"", headers=headers)
        except BlobError as error:
            if error.status not in (409, 412):  # it exists already
                raise

    def _append_block(self, name: str, data: bytes, position: int) -> None:
        headers = {"x-ms-blob-condition-appendpos": str(position)}
        try:
            self._ask("PUT", name, {"comp": "appendblock"}, data, headers)
        except BlobError as error:
            if error.status != 412:
                raise
            if self.read(name, position, len(data)) != data:
                size = self.size(name)
                raise BlobError(
                    f"{name} has {size} bytes and {position} were expected: somebody else writes to it",
                    412,
                    error.code,
                ) from None

    def _facts(self, name: str) -> Tuple[int, str]:
        """Returns a file's size and version, (0, "") where there is none."""
        try:
            headers = self._ask("HEAD", name).headers
        except BlobError as error:
            if error.status == 404:
                return 0, ""
            raise
        return int(headers["Content-Length"]), headers["ETag"]

    def _ask(
        self,
        method: str,
        name: Optional[str],
        query: Optional[Dict[str, str]] = None,
        data: Optional[bytes] = None,
        headers: Optional[Dict[str, str]] = None,
    ) -> _Answer:
        """Sends a request, again while the storage may recover."""
        path = "" if name is None else "/" + urllib.parse.quote(self._prefix + name)
        words = "&".join(filter(None, [urllib.parse.urlencode(query or {}), self._signature]))
        request = urllib.request.Request(f"{self._base}{path}?{words}", data=data, method=method)
        request.add_header("x-ms-version", API_VERSION)
        if data is not None:
            request.add_header("Content-Type", "application/octet-stream")
        for header, value in (headers or {}).items():
            request.add_header(header, value)
        what = f"{self._base}{path}"
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                    return _Answer(answer.read(), answer.headers)
            except urllib.error.HTTPError as error:
                if error.code not in _PASSING or attempt == ATTEMPTS:
                    raise _refusal(what, error) from None
            except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
                if attempt == ATTEMPTS:
                    reason = getattr(error, "reason", error)
                    raise BlobError(f"{what}: no answer: {reason}") from None
            time.sleep(min(0.2 * 2**attempt, 10.0) * random.uniform(0.5, 1.0))
        raise AssertionError("the last attempt returns or raises")


def upload_folder(container: BlobContainer, path: str, name: str) -> Tuple[int, int, List[str]]:
    """Puts all files of a folder there, under a name.

    Returns:
        How many files, how many bytes, and what was left out: links that lead out of the folder, and what is
        no file, such as a socket.

    Raises:
        BlobError: One cannot be written there.
        OSError: One cannot be read here.
    """
    left_out: List[str] = []
    files = list(_files(os.path.realpath(path), left_out))
    with ThreadPoolExecutor(_PARALLEL) as pool:
        sizes = list(pool.map(lambda item: container.upload(item[0], f"{name}/{item[1]}"), files))
    return len(files), sum(sizes), left_out


def download_folder(container: BlobContainer, name: str, path: str) -> Tuple[int, int]:
    """Fetches all files under a name into a folder, which is made if it is missing.

    Returns:
        How many files and how many bytes.

    Raises:
        BlobError: There are none, or one cannot be read.
        OSError: One cannot be written here.
    """
    targets = {file: _inside(path, file[len(name) + 1 :]) for file in container.names(name)}
    if not targets:
        raise BlobError(f"{name} does not exist", 404, "BlobNotFound")
    for target in targets.values():
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
    with ThreadPoolExecutor(_PARALLEL) as pool:
        sizes = list(pool.map(lambda item: container.download(*item), targets.items()))
    return len(targets), sum(sizes)


def _files(top: str, left_out: List[str]) -> Iterator[Tuple[str, str]]:
    """Yields the path of each file of a folder and its name in it."""
    for place, folders, names in os.walk(top, onerror=_raise):
        links = [folder for folder in folders if os.path.islink(os.path.join(place, folder))]
        for file in sorted(names + links):
            path = os.path.join(place, file)
            relative = os.path.relpath(path, top)
            real = os.path.realpath(path)
            is_inside = real.startswith(top + os.sep)
            if is_inside and os.path.exists(real) and stat.S_ISREG(os.stat(real).st_mode):
                yield real, relative.replace(os.sep, "/")
            else:
                left_out.append(relative)


def _inside(folder: str, name: str) -> str:
    parts = name.split("/")
    if not name or any(part in ("", ".", "..") or "\0" in part or os.sep in part for part in parts):
        raise BlobError(f"{name!r} is no name of a file in a folder")
    return os.path.join(folder, *parts)


def _raise(error: OSError) -> None:
    raise error


def _refusal(what: str, error: urllib.error.HTTPError) -> BlobError:
    with error:
        code = error.headers.get("x-ms-error-code", "") or ""
        said = error.read(4096)
    message = ""
    try:
        text = ElementTree.fromstring(said).findtext("Message") or ""
        message = text.split("\n")[0]
    except ElementTree.ParseError:  # not every answer has a body
        message = str(error.reason)
    return BlobError(f"{what}: {message} ({error.code} {code})".replace(" )", ")"), error.code, code)


def _run(arguments: List[str]) -> str:
    usage = "usage: python -m nni.blob_transfer (upload PATH NAME | download NAME PATH)"
    if len(arguments) != 3 or arguments[0] not in ("upload", "download"):
        raise ValueError(usage)
    secret = json.load(sys.stdin)
    if not isinstance(secret, dict) or not isinstance(secret.get("url"), str):
        raise ValueError("standard input has no url of a container")
    container = BlobContainer(secret["url"], str(secret.get("prefix", "")))
    action, first, second = arguments
    left_out: List[str] = []
    if action == "upload":
        if os.path.isdir(first):
            count, size, left_out = upload_folder(container, first, second)
        else:
            count, size = 1, container.upload(first, second)
    elif container.exists(first):
        count, size = 1, container.download(first, second)
    else:
        count, size = download_folder(container, first, second)
    return json.dumps({"files": count, "bytes": size, "left_out": left_out})


def main(arguments: List[str]) -> int:
    """Runs the command line and returns its exit code."""
    try:
        print(_run(arguments))
    except (BlobError, OSError, ValueError) as error:
        print(f"nni.blob_transfer: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
