"""What a machine has for trials: its GPUs, who uses them, and what else a report of it says."""
