"""Fakes and contract suites for tests of the manager's parts."""
