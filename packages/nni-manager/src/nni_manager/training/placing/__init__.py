"""Trials on several hosts: each is put where there is room for it."""

from nni_manager.training.placing.service import PlacingService

__all__ = ["PlacingService"]
