"""What the SMAC tuner is made of."""
