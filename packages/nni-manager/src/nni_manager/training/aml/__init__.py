"""Trials in command jobs of Azure Machine Learning."""
