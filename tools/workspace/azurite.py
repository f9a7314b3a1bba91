"""A pytest plugin: a storage service that answers as Azure Blob storage does."""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from workspace.environments import ROOT

ACCOUNT = "devstoreaccount1"

# Everybody knows the key of this account; it opens nothing else.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

_FOLDER = ROOT / "tests" / "integration" / "azurite"


@dataclass(frozen=True)
class BlobAccount:
    """An account with a container of its own for each test.

    Attributes:
        name: The account.
        key: Its key.
        url: Where it is reached.
        container: The container.
    """

    name: str
    key: str
    url: str
    container: str

    def names(self) -> list[str]:
        """Returns the names of all that is in the container, sorted."""
        from azure.storage.blob import BlobServiceClient

        with BlobServiceClient(self.url, credential=self.key) as service:
            return sorted(service.get_container_client(self.container).list_blob_names())

    def read(self, name: str) -> bytes:
        """Returns what is under a name in the container."""
        from azure.storage.blob import BlobServiceClient

        with BlobServiceClient(self.url, credential=self.key) as service:
            return service.get_blob_client(self.container, name).download_blob().readall()


@contextmanager
def running_azurite(folder: Path, *options: str, address: str = "127.0.0.1") -> Iterator[str]:
    """Starts the service, installed once per clone; gives the address of its account.

    Args:
        folder: An empty folder for its files.
        options: More options.
        address: Where it listens, on any free port.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node.js and npm are not installed")
    if not (_FOLDER / "node_modules" / ".package-lock.json").exists():
        command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
        result = subprocess.run(command, cwd=_FOLDER, capture_output=True, text=True)
        if result.returncode != 0:
            pytest.skip(f"npm cannot install azurite: {result.stderr.strip()[-500:]}")
    place = ["--location", str(folder), "--blobHost", address, "--blobPort", "0"]
    program = str(_FOLDER / "node_modules" / ".bin" / "azurite-blob")
    command = [program, "--disableTelemetry", "--skipApiVersionCheck", *place, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            found = re.search(r"successfully listens on (https?://[\d.]+:\d+)", line)
            if found:
                try:
                    yield f"{found[1]}/{ACCOUNT}"
                finally:
                    process.kill()
                break
        else:
            pytest.fail(f"azurite did not start:\n{''.join(said)}")


@contextmanager
def new_container(url: str) -> Iterator[BlobAccount]:
    """Makes a container, and removes it at the end.

    Args:
        url: Where the account is reached.
    """
    from azure.storage.blob import BlobServiceClient

    name = f"nni-{secrets.token_hex(6)}"
    with BlobServiceClient(url, credential=KEY) as service:
        service.create_container(name)
        yield BlobAccount(ACCOUNT, KEY, url, name)
        service.delete_container(name)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service; gives the address of its account."""
    with running_azurite(tmp_path_factory.mktemp("azurite")) as url:
        yield url


@pytest.fixture
def blob_account(azurite: str) -> Iterator[BlobAccount]:
    """An account with a new container."""
    with new_container(azurite) as account:
        yield account
