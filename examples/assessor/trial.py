"""Trains a logistic regression by gradient descent and reports the accuracy after every epoch."""

import math
import random
import time

import nni

EPOCHS = 20

parameters = {"lr": 0.1, "momentum": 0.5}
parameters.update(nni.get_next_parameter())

numbers = random.Random(0)
points = [(numbers.gauss(0, 1), numbers.gauss(0, 1)) for _ in range(200)]
labels = [1.0 if 2 * x - y + 0.3 * numbers.gauss(0, 1) > 0 else 0.0 for x, y in points]


def probability(weights, point):
    """Returns how probable it is that a point has the label 1."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, weights[0] * point[0] + weights[1] * point[1]))))


def accuracy(weights):
    """Returns which part of the points gets the right label."""
    found = [float(probability(weights, point) > 0.5) for point in points]
    return sum(one == label for one, label in zip(found, labels, strict=True)) / len(points)


weights, velocity = [-1.0, 1.0], [0.0, 0.0]  # A bad start: a small learning rate needs long.
for _ in range(EPOCHS):
    errors = [probability(weights, point) - label for point, label in zip(points, labels, strict=True)]
    for axis in (0, 1):
        slope = sum(error * point[axis] for error, point in zip(errors, points, strict=True)) / len(points)
        velocity[axis] = parameters["momentum"] * velocity[axis] - parameters["lr"] * slope
        weights[axis] += velocity[axis]
    time.sleep(0.05)  # Training takes its time elsewhere.
    nni.report_intermediate_result(accuracy(weights))
nni.report_final_result(accuracy(weights))
