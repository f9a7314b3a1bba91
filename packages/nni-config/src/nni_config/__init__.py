"""Experiment configuration and search spaces."""
