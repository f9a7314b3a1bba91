"""A training service of one's own: what configurations need to know of it."""

from pathlib import Path

from nni.experiment.config.training_service import TrainingServiceConfig


class TinyClusterConfig(TrainingServiceConfig):
    """Runs trials in jobs of a cluster that is a folder of this machine.

    Attributes:
        folder: The cluster.
        reuse_mode: Keep a job from trial to trial.
    """

    platform: str = "tiny_cluster"
    folder: str
    reuse_mode: bool = False


class TinyClusterInfo:
    """What NNI looks for in a package with a training service, by the name below."""

    config_class = TinyClusterConfig

    @staticmethod
    def make_platform(config, service: TinyClusterConfig, experiment_id: str, folder: Path):
        """Returns the platform of an experiment; nothing is asked of it yet."""
        # What the manager needs, and a script of the user's does not.
        from nni_manager.training.jobs.names import storage_folder
        from tiny_cluster_platform import TinyCluster

        return TinyCluster(Path(service.folder), experiment_id, storage_folder(experiment_id, folder))


nni_training_service_info = TinyClusterInfo
