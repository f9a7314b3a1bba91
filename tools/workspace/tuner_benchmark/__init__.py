"""Compares the tuners with each other, with random search and with Optuna."""
