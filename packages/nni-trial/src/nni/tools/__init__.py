"""Tools for those who add algorithms."""
