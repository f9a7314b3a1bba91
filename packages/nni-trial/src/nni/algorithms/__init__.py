"""The built-in algorithms."""
