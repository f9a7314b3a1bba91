"""Trials on this machine."""

from nni_manager.training.local.service import LocalTrainingService

__all__ = ["LocalTrainingService"]
