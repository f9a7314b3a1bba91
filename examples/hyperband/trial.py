"""Trains a logistic regression with gradient descent, for as many steps as its budget allows."""

import math
import random

import nni

parameters = {"lr": 0.1, "momentum": 0.5, "TRIAL_BUDGET": 9}
parameters.update(nni.get_next_parameter())

numbers = random.Random(0)
points = [(numbers.gauss(0, 1), numbers.gauss(0, 1)) for _ in range(200)]
labels = [1.0 if 2 * x - y + 0.3 * numbers.gauss(0, 1) > 0 else 0.0 for x, y in points]


def probability(weights, point):
    """Returns how probable it is that a point has the label 1."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, weights[0] * point[0] + weights[1] * point[1]))))


def loss(weights):
    """Returns the mean negative logarithm of the probability of the right labels."""
    total = 0.0
    for point, label in zip(points, labels, strict=True):
        chance = probability(weights, point)
        total -= math.log(max(chance if label else 1 - chance, 1e-12))
    return total / len(points)


weights, velocity = [0.0, 0.0], [0.0, 0.0]
# The budget says how long to train; nothing enforces it.
for _ in range(parameters["TRIAL_BUDGET"]):
    errors = [probability(weights, point) - label for point, label in zip(points, labels, strict=True)]
    for axis in (0, 1):
        slope = sum(error * point[axis] for error, point in zip(errors, points, strict=True)) / len(points)
        velocity[axis] = parameters["momentum"] * velocity[axis] - parameters["lr"] * slope
        weights[axis] += velocity[axis]
    nni.report_intermediate_result(loss(weights))
nni.report_final_result(loss(weights))
