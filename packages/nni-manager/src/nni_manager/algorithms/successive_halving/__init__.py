"""Brackets of successive halving, and what the tuners that run them have in common."""
