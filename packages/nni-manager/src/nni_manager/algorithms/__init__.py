"""Tuners and assessors: the base classes users subclass, and the built-in ones."""
