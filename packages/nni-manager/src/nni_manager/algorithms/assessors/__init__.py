"""The built-in assessors, one a module."""
