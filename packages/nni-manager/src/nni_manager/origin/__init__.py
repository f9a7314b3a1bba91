"""What an experiment was made of: its code, the state of that code in git, packages, and the seed."""
