"""A workspace of Azure ML: what there is in it, and its jobs. All of this blocks."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nni_manager.shared_storage.azure_blob import Container
from nni_manager.training.aml.compute import check_compute, trouble_of
from nni_manager.training.aml.errors import AzureRefusedError, explained, start_error
from nni_manager.training.aml.job_names import from_azure, to_azure
from nni_manager.training.aml.place import AmlPlace
from nni_manager.training.aml.requests import AzureRequests
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.platform import JobRefusedError, PlatformAwayError

ARTIFACTS = "workspaceartifactstore"
"""The datastore in which Azure ML keeps what jobs write."""

_NOISY = ("azure", "azure.ai.ml", "urllib3", "msal")


@dataclass(frozen=True, slots=True)
class Datastore:
    """A blob container that the workspace knows.

    Attributes:
        name: What the workspace calls it.
        container: How it is reached.
    """

    name: str
    container: Container


@dataclass(frozen=True, slots=True)
class CommandJob:
    """A job to be made.

    Attributes:
        name: Its name.
        display_name: What a person sees in the studio.
        experiment: Under which name the studio shows it with others.
        command: Its command line.
        inputs: Files and folders that it gets, by the names that the command line has them by.
        environment: Its variables.
        tags: What it is found by.
    """

    name: str
    display_name: str
    experiment: str
    command: str
    inputs: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


class AmlWorkspace:
    """Speaks with a workspace. `open` comes first."""

    def __init__(self, place: AmlPlace) -> None:
        """Asks nothing yet.

        Args:
            place: The workspace, and what jobs run in.
        """
        self._place = place
        self._client: Any = None
        self._requests: AzureRequests
        self._discovery = ""
        self._history = ""
        self._tracking = ""
        self._environment = ""

    def open(self) -> None:
        """Signs in and looks whether all that is needed is there.

        Raises:
            TrainingServiceError: It is not; the text says what to do.
            PlatformAwayError: It does not answer.
        """
        if self._client is None:  # it is tried again until there is an answer
            self._requests = AzureRequests(self._sign_in(), self._place)
        name = self._place.workspace
        try:
            with explained(f'the workspace "{name}"'):
                found = self._client.workspaces.get(name)
        except AzureRefusedError as error:
            raise start_error(f'workspace_name: the workspace "{name}"', error.refusal) from None
        self._discovery = str(getattr(found, "discovery_url", None) or "")
        # The same address for the REST interface and for MLflow's own library, but for the scheme.
        tracking = str(getattr(found, "mlflow_tracking_uri", None) or "")
        self._tracking = tracking.replace("azureml://", "https://", 1)
        compute = self._place.compute
        try:
            facts = self._requests.get(f"/computes/{compute}", f'the compute target "{compute}"')
        except AzureRefusedError as error:
            raise start_error(f'compute_target: "{compute}" of {name}', error.refusal) from None
        check_compute(facts, self._place, self._requests)
        self._environment = self._find_environment()

    def default_datastore(self) -> Datastore:
        """Returns the workspace's own blob container.

        Raises:
            TrainingServiceError: It has none that can be used.
            PlatformAwayError: It does not answer.
        """
        what = "the workspace's default datastore"
        try:
            for page in self._requests.pages("/datastores", what, isDefault="true"):
                for each in page:
                    return self._datastore(each)
        except AzureRefusedError as error:
            raise start_error(what, error.refusal) from None
        raise TrainingServiceError(f"the workspace {self._place.workspace} has no default datastore")

    def artifacts(self) -> Datastore:
        """Returns the container in which Azure ML keeps what jobs write."""
        what = "the workspace's datastore of artifacts"
        try:
            return self._datastore(self._requests.get(f"/datastores/{ARTIFACTS}", what))
        except AzureRefusedError as error:
            raise PlatformAwayError(f"{what}: {error}") from None

    def submit(self, job: CommandJob) -> None:
        """Makes a job, unless there is one of that name.

        Raises:
            JobRefusedError: Azure ML does not take it.
            PlatformAwayError: It may be there or not.
        """
        from azure.ai.ml import Input, command

        try:
            with explained(f"job {job.name}"):
                made = command(
                    name=to_azure(job.name),
                    display_name=job.display_name,
                    experiment_name=job.experiment,
                    command=job.command,
                    environment=self._environment,
                    compute=self._place.compute,
                    instance_count=1,
                    inputs={
                        name: Input(
                            type="uri_folder" if path.endswith("/") else "uri_file",
                            path=path,
                            mode="download",
                        )
                        for name, path in job.inputs.items()
                    },
                    environment_variables=dict(job.environment),
                    tags=dict(job.tags),
                )
                # The service checks it, and says more about what is wrong than the library.
                self._client.jobs.create_or_update(made, skip_validation=True)
        except AzureRefusedError as error:
            if error.refusal.status in (400, 409) and self.status(job.name) is not None:
                return  # an answer got lost: it is ours, made before
            raise JobRefusedError(f"Azure ML does not take job {job.name}: {error}") from None

    def status(self, name: str) -> str | None:
        """Returns how far a job is, in Azure ML's word for it; None where there is no such job."""
        try:
            return str(self._requests.get(f"/jobs/{to_azure(name)}", f"job {name}")["properties"]["status"])
        except AzureRefusedError as error:
            if error.refusal.status == 404:
                return None
            raise PlatformAwayError(f"job {name}: {error}") from None

    def jobs(self, tag: str) -> Iterator[list[dict[str, Any]]]:
        """Gives the jobs that have a tag, archived ones too, page by page, latest first."""
        try:
            for page in self._requests.pages("/jobs", "the list of jobs", tag=tag, listViewType="All"):
                yield [{**job, "name": from_azure(str(job.get("name", "")))} for job in page]
        except AzureRefusedError as error:
            raise PlatformAwayError(f"the list of jobs: {error}") from None

    def cancel(self, name: str) -> None:
        """Begins to stop a job; one that has ended or never was is stopped already.

        Raises:
            PlatformAwayError: It may run on.
        """
        try:
            with explained(f"job {name} cannot be stopped"):
                self._client.jobs.begin_cancel(to_azure(name), polling=False)
        except AzureRefusedError as error:
            if error.refusal.status == 404 or self.status(name) in (None, "Completed", "Failed", "Canceled"):
                return
            raise PlatformAwayError(f"job {name} cannot be stopped: {error}") from None

    def why_it_failed(self, name: str) -> str:
        """Returns Azure ML's account of a failure, "" where it has none."""
        try:
            if not self._history:
                addresses = self._requests.fetch(self._discovery, "the workspace's addresses")
                self._history = f"{addresses['api'].rstrip('/')}/history/v1.0{self._place.path}"
            run = self._requests.fetch(f"{self._history}/runs/{to_azure(name)}", f"job {name}")
            told = (run.get("error") or {}).get("error") or {}
            return " ".join(str(told.get("message") or told.get("code") or "").split())
        except (AzureRefusedError, PlatformAwayError, KeyError, ValueError) as error:
            logging.getLogger(__name__).info("why job %s failed is not known: %s", name, error)
            return ""

    def log_metrics(self, name: str, metrics: Sequence[Mapping[str, Any]]) -> None:
        """Adds metrics to those that the studio shows of a job, by MLflow's REST interface.

        Args:
            name: The job.
            metrics: The metrics, in MLflow's JSON form.

        Raises:
            AzureRefusedError: They are not taken.
            PlatformAwayError: They may be there or not.
        """
        what = f"metrics of job {name}"
        if not self._tracking:
            raise PlatformAwayError(f"{what}: the workspace names no address of MLflow")
        body = {"run_id": to_azure(name), "metrics": list(metrics)}
        self._requests.send(f"{self._tracking}/api/2.0/mlflow/runs/log-batch", what, body)

    def compute_trouble(self) -> str:
        """Returns why nodes of the compute target do not come, "" where nothing is wrong."""
        compute = self._place.compute
        try:
            return trouble_of(self._requests.get(f"/computes/{compute}", f"compute target {compute}"))
        except AzureRefusedError as error:
            return f'the compute target "{compute}": {error}'

    def close(self) -> None:
        """Ends the connections."""
        if self._client is not None:
            self._requests.close()

    def _sign_in(self) -> Any:
        try:
            from azure.ai.ml import MLClient
            from azure.identity import DefaultAzureCredential
        except ImportError as error:
            raise TrainingServiceError(
                f"trials on Azure ML need the package {error.name}, which is not installed; "
                "pip install 'nni-manager[aml]' brings it"
            ) from error
        for name in _NOISY:  # these log every request; errors are told by us
            logging.getLogger(name).setLevel(logging.ERROR)
        credential = DefaultAzureCredential()
        place = self._place
        self._client = MLClient(
            credential,
            place.subscription_id,
            place.resource_group,
            place.workspace,
            enable_telemetry=False,
            show_progress=False,
            retry_total=0,  # who asks does so again, and says so meanwhile
            connection_timeout=10,
            read_timeout=60,
        )
        return credential

    def _find_environment(self) -> str:
        from azure.ai.ml.entities import Environment

        place = self._place
        if place.environment:
            name, sign, version = place.environment.partition("@" if "@" in place.environment else ":")
            chosen = {"label": version} if sign == "@" else {"version": version}
            try:
                with explained(f'the environment "{place.environment}"'):
                    self._client.environments.get(name, **chosen)
            except AzureRefusedError as error:
                raise start_error(f'environment: "{place.environment}"', error.refusal) from None
            return place.environment
        what = f"the image {place.docker_image} as an environment"
        try:
            with explained(what):
                self._client.environments.get(place.image_name, version="1")
        except AzureRefusedError as error:
            if error.refusal.status != 404:
                raise start_error(what, error.refusal) from None
            try:
                with explained(what):
                    self._client.environments.create_or_update(
                        Environment(
                            name=place.image_name,
                            version="1",
                            image=place.docker_image,
                            description=f"The image {place.docker_image}, for trials of NNI.",
                        )
                    )
            except AzureRefusedError as refused:
                raise start_error(f"docker_image: {what}", refused.refusal) from None
        return f"{place.image_name}:1"

    def _datastore(self, facts: Mapping[str, Any]) -> Datastore:
        name, properties = str(facts["name"]), facts["properties"]
        if properties.get("datastoreType") != "AzureBlob":
            raise TrainingServiceError(
                f"the workspace's datastore {name} is of the type {properties.get('datastoreType')}; "
                "allowed is AzureBlob as its default datastore"
            )
        secrets: Mapping[str, Any] = {}
        if (properties.get("credentials") or {}).get("credentialsType", "None") != "None":
            secrets = self._requests.post(f"/datastores/{name}/listSecrets", f"datastore {name}")
        account = str(properties["accountName"])
        protocol, endpoint = properties.get("protocol") or "https", properties.get("endpoint")
        return Datastore(
            name,
            Container(
                account=account,
                name=str(properties["containerName"]),
                url=f"{protocol}://{account}.blob.{endpoint or 'core.windows.net'}",
                key=str(secrets.get("key") or ""),
                sas_token=str(secrets.get("sasToken") or ""),
            ),
        )
