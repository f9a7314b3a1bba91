"""A stand-in for OpenPAI's REST server: strict, and with jobs that are real processes of this machine."""

from openpai_stand_in.server import Account, OpenPaiStandIn

__all__ = ["Account", "OpenPaiStandIn"]
