"""Runs trials. interface.py is the contract that every place keeps."""
