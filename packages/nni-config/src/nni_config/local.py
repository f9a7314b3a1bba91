"""Trials on this machine."""

from __future__ import annotations

from typing import Literal

from nni_config.base import ConfigBase
from nni_config.fields import GpuIndices, PositiveInt
from nni_config.problems import Report
from nni_config.training_service import TrainingServiceConfig, check_share_of_gpu


class LocalConfig(TrainingServiceConfig):
    """Runs trials on this machine.

    Attributes:
        use_active_gpu: Whether trials may have GPUs that other programs use too. Rule: needed with
            trial_gpu_number above 0, without effect otherwise.
        max_trial_number_per_gpu: How many trials may share a GPU. Unit: trials. Rule: 1 where trials get no
            GPU.
        gpu_indices: The GPUs that trials may have, None for every GPU.
        reuse_mode: Keep the process of a looping script from trial to trial.
        trial_concurrency: How many trials may run here at the same time. None is the experiment's. Unit:
            trials.
    """

    platform: Literal["local"] = "local"
    use_active_gpu: bool | None = None
    max_trial_number_per_gpu: PositiveInt = 1
    gpu_indices: GpuIndices | None = None
    reuse_mode: bool = False
    trial_concurrency: PositiveInt | None = None

    def _fill_in(self, parents: list[ConfigBase], report: Report) -> None:
        super()._fill_in(parents, report)
        self.gpu_indices = self.gpu_indices or None
        self.nni_manager_ip = None

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        super()._check(parents, report)
        if self.trial_gpu_number and self.use_active_gpu is None:
            message = (
                "it is not set although trial_gpu_number is; true allows GPUs that others use too, or false"
            )
            report.add(message, "use_active_gpu")
        check_share_of_gpu(self.max_trial_number_per_gpu, self.trial_gpu_number, report)
