"""Learning curves: families of curves, and the prediction of how one goes on."""
