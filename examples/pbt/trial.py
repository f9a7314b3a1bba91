"""One step of a member of the population: gradient descent that goes on from a checkpoint."""

from pathlib import Path

import nni
import numpy as np

STEPS = 20

parameters = nni.get_next_parameter()
learning_rate, momentum = parameters["learning_rate"], parameters["momentum"]

rng = np.random.default_rng(0)
features = rng.normal(size=(200, 10)) * np.linspace(0.1, 2.0, 10)
targets = features @ rng.normal(size=10) + 0.1 * rng.normal(size=200)

# In the first generation there is nothing to load yet.
loaded = Path(parameters["load_checkpoint_dir"]) / "model.npz"
if loaded.exists():
    checkpoint = np.load(loaded)
    weights, velocity, steps = checkpoint["weights"], checkpoint["velocity"], int(checkpoint["steps"])
else:
    weights, velocity, steps = np.zeros(10), np.zeros(10), 0

for _ in range(STEPS):
    gradient = features.T @ (features @ weights - targets) / len(targets)
    velocity = momentum * velocity - learning_rate * gradient
    weights = weights + velocity
loss = float(np.mean((features @ weights - targets) ** 2))

# Saved before the result is reported, and whole or not at all.
saved = Path(parameters["save_checkpoint_dir"]) / "model.npz"
partial = saved.with_name("partial.npz")
np.savez(partial, weights=weights, velocity=velocity, steps=steps + STEPS)
partial.replace(saved)

print(f"{steps + STEPS} steps, loss {loss:.4f}")
nni.report_final_result(loss)
