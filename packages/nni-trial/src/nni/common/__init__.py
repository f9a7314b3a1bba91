"""Helpers for writing tuners."""
