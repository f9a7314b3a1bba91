"""A storage service that answers as Azure Blob storage does."""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

AZURITE = Path(__file__).parent / "azurite"
# Everybody knows the key of this account; it opens nothing else.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True)
class BlobAccount:
    """An account with a container of its own for each test."""

    name: str
    key: str
    url: str
    container: str


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Starts the service, installed once per clone; gives the address of its account."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node.js and npm are not installed")
    if not (AZURITE / "node_modules" / ".package-lock.json").exists():
        command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
        result = subprocess.run(command, cwd=AZURITE, capture_output=True, text=True)
        if result.returncode != 0:
            pytest.skip(f"npm cannot install azurite: {result.stderr.strip()[-500:]}")
    program = AZURITE / "node_modules" / ".bin" / "azurite-blob"
    place = [
        "--location",
        str(tmp_path_factory.mktemp("azurite")),
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        "0",
    ]
    command = [str(program), "--disableTelemetry", "--skipApiVersionCheck", *place]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            found = re.search(r"successfully listens on (http://127\.0\.0\.1:\d+)", line)
            if found:
                yield f"{found[1]}/devstoreaccount1"
                break
        else:
            pytest.fail(f"azurite did not start:\n{''.join(said)}")
        process.kill()


@pytest.fixture
def blob_account(azurite: str) -> Iterator[BlobAccount]:
    """An account with a new container."""
    name = f"nni-{secrets.token_hex(6)}"
    with BlobServiceClient(azurite, credential=KEY) as service:
        service.create_container(name)
        yield BlobAccount("devstoreaccount1", KEY, azurite, name)
        service.delete_container(name)
