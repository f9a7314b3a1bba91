"""What each request is answered, and which are refused."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from aml_stand_in.checks import RefusedError, check_job, check_metrics
from aml_stand_in.jobs import OVER

if TYPE_CHECKING:
    from aml_stand_in.stand_in import AmlStandIn, Asked

Answer = tuple[int, Any, dict[str, str]]

DATASTORE = "workspaceblobstore"
ARTIFACTS = "workspaceartifactstore"
_KEPT = ("command", "computeId", "environmentId", "inputs", "environmentVariables")


class Answers:
    """The routes of the service."""

    def __init__(self, stand_in: AmlStandIn) -> None:
        self._in = stand_in

    def of(self, asked: Asked) -> Answer:
        facts = self._in.facts
        if asked.path == "/discovery":
            return 200, {"api": self._in.url, "history": self._in.url}, {}
        history = f"/history/v1.0{facts.path}/runs/"
        if asked.path.startswith(history):
            return self._run(asked.path.removeprefix(history))
        if asked.path.startswith(self._mlflow):
            return self._log_batch(asked)
        if not asked.query.get("api-version"):
            raise RefusedError(
                400, "MissingApiVersionParameter", "The api-version query parameter is required."
            )
        parts = asked.path.split("/")
        if parts[:3] != ["", "subscriptions", facts.subscription]:
            raise RefusedError(
                404, "SubscriptionNotFound", f"The subscription '{parts[2]}' could not be found."
            )
        if asked.path.endswith("/locations/westeurope/vmSizes"):
            return 200, {"value": [{"name": "Standard_NC6", "family": "NC", "vCPUs": 6, "gpus": 1}]}, {}
        if parts[3:5] != ["resourceGroups", facts.group]:
            raise RefusedError(
                404, "ResourceGroupNotFound", f"Resource group '{parts[4]}' could not be found."
            )
        if parts[5:9] != ["providers", "Microsoft.MachineLearningServices", "workspaces", facts.workspace]:
            name = f"Microsoft.MachineLearningServices/workspaces/{parts[8]}"
            message = f"The Resource '{name}' under resource group '{facts.group}' was not found."
            raise RefusedError(404, "ResourceNotFound", message)
        return self._in_workspace(asked, parts[9:])

    @property
    def _mlflow(self) -> str:
        return f"/mlflow/v1.0{self._in.facts.path}"

    def _log_batch(self, asked: Asked) -> Answer:
        if (asked.method, asked.path) != ("POST", f"{self._mlflow}/api/2.0/mlflow/runs/log-batch"):
            raise RefusedError(404, "NotFound", f"There is no {asked.method} {asked.path} here.")
        try:
            check_metrics(asked.body)
            name = str(asked.body.get("run_id"))
            job = self._in.jobs.get(name)
            if job is None:
                raise RefusedError(404, "UserError", f"Run {name} was not found")
        except RefusedError as error:
            self._in.refused.append(f"{asked.method} {asked.path}: {error.message}")
            words = {"Error": {"Code": error.code, "Message": error.message}, "statusCode": error.status}
            return error.status, words, {}
        job.metrics += asked.body.get("metrics", [])
        return 200, {}, {}

    def _in_workspace(self, asked: Asked, rest: list[str]) -> Answer:
        match (asked.method, *rest):
            case ("GET",):
                return 200, self._workspace(), {}
            case ("GET", "computes", name):
                return self._compute(name)
            case ("GET", "datastores"):
                return 200, {"value": [self._datastore(DATASTORE)]}, {}
            case ("GET", "datastores", name) if name in (DATASTORE, ARTIFACTS):
                return 200, self._datastore(name), {}
            case ("POST", "datastores", name, "listSecrets") if name in (DATASTORE, ARTIFACTS):
                return 200, {"secretsType": "AccountKey", "key": self._in.account.key}, {}
            case ("GET", "environments", name, "versions", version):
                return self._environment(f"{name}:{version}")
            case ("GET", "environments", name, "versions"):
                found = [each for key, each in self._in.environments.items() if key.startswith(f"{name}:")]
                return 200, {"value": found[-1:]}, {}
            case ("PUT", "environments", name, "versions", version):
                return self._make_environment(name, version, asked)
            case ("GET", "jobs"):
                return self._list(asked)
            case ("PUT", "jobs", name):
                return self._make_job(name, asked)
            case ("GET", "jobs", name):
                return 200, self._job(name), {}
            case ("POST", "jobs", name, "cancel"):
                return self._cancel(name)
        raise RefusedError(404, "InvalidRoute", f"There is no {asked.method} {'/'.join(rest)} here.")

    def _workspace(self) -> dict[str, Any]:
        facts = self._in.facts
        storage = f"/subscriptions/{facts.subscription}/storageAccounts/{self._in.account.name}"
        return {
            "id": facts.path,
            "name": facts.workspace,
            "type": "Microsoft.MachineLearningServices/workspaces",
            "location": "westeurope",
            "identity": {"type": "SystemAssigned"},
            "properties": {
                "friendlyName": facts.workspace,
                "discoveryUrl": f"{self._in.url}/discovery",
                "mlFlowTrackingUri": f"{self._in.url.replace('https', 'azureml')}{self._mlflow}",
                "provisioningState": "Succeeded",
                "storageAccount": storage,
            },
        }

    def _compute(self, name: str) -> Answer:
        if name != self._in.facts.compute:
            raise RefusedError(404, "NotFound", f"Requested compute {name} not found in the workspace.")
        made = copy.deepcopy(self._in.compute)
        if self._in.faults.quota:
            error = {"error": {"code": "ClusterCoreQuotaReached", "message": self._in.faults.quota}}
            made["properties"]["properties"]["errors"] = [error]
        return 200, made, {}

    def _datastore(self, name: str) -> dict[str, Any]:
        account = self._in.account
        return {
            "id": f"{self._in.facts.path}/datastores/{name}",
            "name": name,
            "type": "Microsoft.MachineLearningServices/workspaces/datastores",
            "properties": {
                "datastoreType": "AzureBlob",
                "isDefault": name == DATASTORE,
                "accountName": account.name,
                "containerName": account.container if name == DATASTORE else self._in.artifacts,
                "endpoint": "core.windows.net",
                "protocol": "https",
                "credentials": {"credentialsType": self._in.credentials},
            },
        }

    def _environment(self, key: str) -> Answer:
        if key not in self._in.environments:
            raise RefusedError(404, "UserError", f"Environment {key} is not found.")
        return 200, self._in.environments[key], {}

    def _make_environment(self, name: str, version: str, asked: Asked) -> Answer:
        properties = asked.body["properties"]
        if not isinstance(properties.get("image"), str) or not properties["image"].strip():
            raise RefusedError(400, "UserError", "An environment needs an image.")
        place = f"{self._in.facts.path}/environments/{name}/versions/{version}"
        made = {"id": place, "name": version, "type": "environments/versions", **asked.body}
        return 201, self._in.environments.setdefault(f"{name}:{version}", made), {}

    def _list(self, asked: Asked) -> Answer:
        if not set(asked.query) <= {"api-version", "tag", "listViewType", "$skip", "jobType", "properties"}:
            raise RefusedError(400, "UserError", f"What is asked for is not known: {sorted(asked.query)}")
        tag, start = asked.query.get("tag"), int(asked.query.get("$skip", "0"))
        found = [
            job.resource
            for job in reversed(list(self._in.jobs.values()))
            if job.is_listed and (tag is None or tag in job.resource["properties"].get("tags", {}))
        ]
        end = start + self._in.facts.page_size
        answer: dict[str, Any] = {"value": found[start:end]}
        if end < len(found):
            query = "&".join(f"{name}={value}" for name, value in {**asked.query, "$skip": str(end)}.items())
            answer["nextLink"] = f"{self._in.url}{asked.path}?{query}"
        return 200, answer, {}

    def _make_job(self, name: str, asked: Asked) -> Answer:
        stand_in = self._in
        if stand_in.faults.refuse_jobs:
            raise RefusedError(400, "UserError", stand_in.faults.refuse_jobs)
        computes = {stand_in.facts.compute: stand_in.compute}
        path = stand_in.facts.path
        check_job(name, asked.body, workspace=path, computes=computes, datastore=DATASTORE)
        properties = asked.body["properties"]
        environment = properties.get("environmentId", "").removeprefix(f"{path}/environments/")
        if (
            environment.replace("/versions/", ":") not in stand_in.environments
            and "/labels/" not in environment
        ):
            raise RefusedError(400, "UserError", f"The environment {environment!r} does not exist.")
        existing = stand_in.jobs.get(name)
        if existing is not None:
            before = existing.resource["properties"]
            if any(before.get(key) != properties.get(key) for key in _KEPT):
                raise RefusedError(400, "UserError", f"A job with this name already exists: {name}.")
            return 200, existing.resource, {}
        address = f"https://ml.azure.com/runs/{name}?wsid={path}"
        studio = {"jobServiceType": "Studio", "endpoint": address}
        resource = {
            "id": f"{path}/jobs/{name}",
            "name": name,
            "type": "Microsoft.MachineLearningServices/workspaces/jobs",
            "properties": {**properties, "status": "NotStarted", "services": {"Studio": studio}},
        }
        stand_in.start(name, resource)
        if stand_in.faults.drops > 0:
            stand_in.faults.drops -= 1
            raise RefusedError(503, "ServiceUnavailable", "The service is busy.")
        return 201, resource, {}

    def _job(self, name: str) -> dict[str, Any]:
        job = self._in.jobs.get(name)
        if job is None or not job.is_listed:
            raise RefusedError(404, "UserError", f"Run {name} was not found")
        return job.resource

    def _cancel(self, name: str) -> Answer:
        self._job(name)
        job = self._in.jobs[name]
        if job.status in OVER:
            raise RefusedError(400, "UserError", f"Run {name} is in the terminal state {job.status}.")
        job.cancel()
        return 202, None, {"Location": f"{self._in.url}{self._in.facts.path}/jobs/{name}"}

    def _run(self, name: str) -> Answer:
        job = self._in.jobs.get(name)
        if job is None:
            raise RefusedError(404, "UserError", f"Run {name} was not found")
        error = {"error": {"code": "UserError", "message": job.failure}} if job.failure else None
        return 200, {"runId": name, "status": job.status, "error": error, "warnings": []}, {}
