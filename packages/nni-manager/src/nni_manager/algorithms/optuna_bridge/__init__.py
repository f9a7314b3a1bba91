"""What the Optuna tuner is made of."""
