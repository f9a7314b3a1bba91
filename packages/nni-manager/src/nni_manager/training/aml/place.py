"""Where jobs run in Azure ML, and in what."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class AmlPlace:
    """Where jobs run in Azure ML, and in what.

    Attributes:
        subscription_id: The Azure subscription.
        resource_group: The resource group of the workspace.
        workspace: The workspace.
        compute: The compute target in it.
        docker_image: The image that jobs run in.
        environment: The registered environment that they run in, "name:version" or "name@label", in place of
            the image; "" for the image.
        trials_per_job: How many trials share a job.
        gpus_per_trial: How many GPUs each trial needs, 0 where nothing is said of them.
    """

    subscription_id: str
    resource_group: str
    workspace: str
    compute: str
    docker_image: str
    environment: str = ""
    trials_per_job: int = 1
    gpus_per_trial: int = 0

    @property
    def path(self) -> str:
        """The workspace's path in Azure's resource manager."""
        return (
            f"/subscriptions/{quote(self.subscription_id, safe='')}"
            f"/resourceGroups/{quote(self.resource_group, safe='')}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{quote(self.workspace, safe='')}"
        )

    @property
    def image_name(self) -> str:
        """What the image is registered by as an environment: one for each image, in a whole workspace."""
        return f"nni-{hashlib.sha256(self.docker_image.encode()).hexdigest()[:16]}"
