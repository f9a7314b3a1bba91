"""One trial: fits a line to some points by gradient descent, with the parameters that it is given."""

import random

import nni

parameters = {"learning_rate": 0.01, "momentum": 0.0, "batch_size": 8}
parameters.update(nni.get_next_parameter())
learning_rate, momentum = parameters["learning_rate"], parameters["momentum"]
batch_size = int(parameters["batch_size"])

generator = random.Random(0)
points = [(x / 32, 3 * x / 32 - 1 + generator.gauss(0, 0.1)) for x in range(64)]
slope = offset = slope_speed = offset_speed = 0.0
loss = None

for _ in range(10):
    generator.shuffle(points)
    for start in range(0, len(points), batch_size):
        batch = points[start : start + batch_size]
        errors = [(x, slope * x + offset - y) for x, y in batch]
        slope_gradient = 2 * sum(error * x for x, error in errors) / len(batch)
        offset_gradient = 2 * sum(error for _, error in errors) / len(batch)
        slope_speed = momentum * slope_speed - learning_rate * slope_gradient
        offset_speed = momentum * offset_speed - learning_rate * offset_gradient
        slope, offset = slope + slope_speed, offset + offset_speed
    loss = sum((slope * x + offset - y) ** 2 for x, y in points) / len(points)
    nni.report_intermediate_result(loss)

nni.report_final_result(loss)
