"""Keeps an experiment's record. interface.py has the rules."""
