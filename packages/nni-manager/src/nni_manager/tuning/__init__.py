"""Runs an algorithm in a process of its own and talks to it in the protocol's messages."""
