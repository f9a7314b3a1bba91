"""What is computed from the trials of an experiment, by libraries that the manager itself does not load."""
