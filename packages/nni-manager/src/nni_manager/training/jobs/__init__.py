"""Trials in jobs of a platform that starts containers: OpenPAI, Azure ML and others."""
