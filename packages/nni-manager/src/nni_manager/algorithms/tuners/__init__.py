"""The built-in tuners, one a module."""
