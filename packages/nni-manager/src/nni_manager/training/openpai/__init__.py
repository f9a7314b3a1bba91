"""Trials in jobs of OpenPAI, by its REST interface and job protocol of version 2."""
