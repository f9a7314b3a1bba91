"""The version of nni-trial, kept in a file since a trial may find the package without its metadata."""

__version__ = "4.0.0"
