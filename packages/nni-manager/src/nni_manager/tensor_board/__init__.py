"""TensorBoards that a manager runs for the logs of trials."""
