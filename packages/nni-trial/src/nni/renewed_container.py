"""A container of Azure Blob storage whose signature is replaced by a newer one before it ends.

Whoever started the job writes the newer one to a file in the container; the job reads it with the old one.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.parse
from typing import Any, Dict, Mapping, Optional

from nni.blob_error import BlobError
from nni.blob_transfer import BlobContainer

LOOK_SECONDS = 6 * 3600.0
"""How often it is looked whether there is a newer one."""


class RenewedContainer(BlobContainer):
    """A folder in a container, reached with a signature that is replaced now and then."""

    def __init__(self, url: str, prefix: str, renewal: str) -> None:
        """Names the folder; asks nothing yet.

        Args:
            url: The container's address, with the signature as its query.
            prefix: The folder in it.
            renewal: The file in that with what a job needs to reach it now.

        Raises:
            ValueError: It is no such address.
        """
        super().__init__(url, prefix)
        self._renewal = renewal
        self._look_at = time.monotonic() + LOOK_SECONDS

    def _ask(
        self,
        method: str,
        name: Optional[str],
        query: Optional[Dict[str, str]] = None,
        data: Optional[bytes] = None,
        headers: Optional[Dict[str, str]] = None,
    ) -> Any:
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_SECONDS
            self._renew()
        return super()._ask(method, name, query, data, headers)

    def _renew(self) -> None:
        try:
            url = json.loads(super()._ask("GET", self._renewal).body)["url"]
            address, _, signature = url.partition("?")
            if address.rstrip("/") != self._base or not urllib.parse.parse_qs(signature):
                raise ValueError("it is for another container")
            self._signature = signature
        except (BlobError, ValueError, KeyError, TypeError, AttributeError) as error:
            print(
                f"nni.spool: the access to the storage is not renewed: {error}", file=sys.stderr, flush=True
            )


def container_of(access: Mapping[str, str]) -> BlobContainer:
    """Returns the container that a job is told of.

    Args:
        access: `url` and `prefix` of it, and `renewal`, the file with a newer url, if there is one.

    Raises:
        ValueError, KeyError, TypeError: It is no such description.
    """
    url, prefix = access["url"], access.get("prefix", "")
    renewal = access.get("renewal", "")
    return RenewedContainer(url, prefix, renewal) if renewal else BlobContainer(url, prefix)
