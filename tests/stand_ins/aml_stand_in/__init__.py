"""A server that answers as Azure Machine Learning does, and runs jobs as processes of this machine."""

from aml_stand_in.stand_in import AmlStandIn, Facts

__all__ = ["AmlStandIn", "Facts"]
