"""Asks Azure's resource manager for what azure-ai-ml does not tell, or tells at a cost."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from nni_manager.training.aml.errors import explained
from nni_manager.training.aml.place import AmlPlace

API_VERSION = "2024-04-01"
"""The version of the service's interface, a stable one."""

PAGE_TIMEOUT_SECONDS = 60.0

_CLOUDS = {
    "AzureCloud": "https://management.azure.com",
    "AzureChinaCloud": "https://management.chinacloudapi.cn",
    "AzureUSGovernment": "https://management.usgovcloudapi.net",
}
"""The resource managers of Azure's clouds, by the names that azure-ai-ml knows them by."""


class AzureRequests:
    """Asks for resources of a workspace. Methods block, and raise what `explained` does."""

    def __init__(self, credential: Any, place: AmlPlace) -> None:
        """Asks nothing yet.

        Args:
            credential: Who is signed in.
            place: The workspace.
        """
        from azure.core import PipelineClient
        from azure.core.pipeline.policies import BearerTokenCredentialPolicy, HeadersPolicy, UserAgentPolicy

        manager = _CLOUDS.get(os.environ.get("AZUREML_CURRENT_CLOUD", ""), _CLOUDS["AzureCloud"])
        self._base = os.environ.get("AZUREML_DEV_URL_MFE", manager).rstrip("/")
        self._workspace = place.path
        self._client: Any = PipelineClient(
            self._base,
            policies=[
                HeadersPolicy(),
                UserAgentPolicy("nni"),
                BearerTokenCredentialPolicy(credential, f"{manager}/.default"),
            ],
            connection_timeout=10,
            read_timeout=PAGE_TIMEOUT_SECONDS,
        )

    def get(self, path: str, what: str, **query: str) -> dict[str, Any]:
        """Returns a resource of the workspace.

        Args:
            path: Its path in the workspace, "/computes/c"; one that begins with "/subscriptions" is whole.
            what: What it is, for messages.
            query: Further parameters.
        """
        return self._ask("GET", path, what, {"api-version": API_VERSION, **query})

    def post(self, path: str, what: str) -> dict[str, Any]:
        """Returns what an action of a resource answers."""
        return self._ask("POST", path, what, {"api-version": API_VERSION})

    def pages(self, path: str, what: str, **query: str) -> Iterator[list[dict[str, Any]]]:
        """Gives the resources of a collection, page by page, each asked for when it is needed."""
        answer = self.get(path, what, **query)
        while True:
            yield answer.get("value") or []
            following = answer.get("nextLink")
            if not following:
                return
            answer = self._ask("GET", following, what, {})

    def fetch(self, url: str, what: str) -> dict[str, Any]:
        """Returns what another of the workspace's services answers; it is reached over TLS alone."""
        return self._ask("GET", url, what, {})

    def send(self, url: str, what: str, body: Mapping[str, Any]) -> None:
        """Sends JSON to another of the workspace's services; it is reached over TLS alone."""
        self._ask("POST", url, what, {}, body)

    def close(self) -> None:
        """Ends the connections."""
        self._client.close()

    def _ask(
        self,
        method: str,
        path: str,
        what: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        from azure.core.exceptions import HttpResponseError
        from azure.core.rest import HttpRequest

        whole = path
        if not path.startswith("https://"):
            is_whole = path.startswith("/subscriptions/")
            whole = self._base + (path if is_whole else self._workspace + path)
        with explained(what):
            request = HttpRequest(
                method, whole, params=dict(query), json=None if body is None else dict(body)
            )
            response = self._client.send_request(request)
            if response.status_code >= 400:
                raise HttpResponseError(response=response)
            answer = response.json() if response.content else {}
        return answer if isinstance(answer, dict) else {}
