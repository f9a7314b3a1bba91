"""Parzen estimators over search spaces: densities made of one kernel per trial."""
