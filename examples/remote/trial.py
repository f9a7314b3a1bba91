"""One trial: a small network by hand, trained on points of two spirals. It needs nothing but Python."""

import math
import random
import socket
from pathlib import Path

import nni

parameters = {"units": 8, "rate": 0.1}
parameters.update(nni.get_next_parameter())
units, rate = parameters["units"], parameters["rate"]

source = random.Random(0)
points = []
for number in range(200):
    angle, side = number / 40, number % 2
    radius = (angle + 0.3) * (1 if side else -1)
    points.append((radius * math.cos(angle) / 5, radius * math.sin(angle) / 5, side))
hidden = [[source.gauss(0, 1) for _ in range(3)] for _ in range(units)]
output = [source.gauss(0, 0.1) for _ in range(units + 1)]


def forward(x, y):
    """Returns what the hidden units say, and how likely a point is of the first spiral."""
    said = [math.tanh(a * x + b * y + c) for a, b, c in hidden]
    total = sum(output[unit] * value for unit, value in enumerate(said)) + output[-1]
    return said, 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


accuracy = 0.0
for _ in range(20):
    source.shuffle(points)
    for x, y, side in points:
        said, likely = forward(x, y)
        error = likely - side
        for unit, value in enumerate(said):
            slope = error * output[unit] * (1 - value * value)
            output[unit] -= rate * error * value
            for place, given in enumerate((x, y, 1.0)):
                hidden[unit][place] -= rate * slope * given
        output[-1] -= rate * error
    accuracy = sum((forward(x, y)[1] > 0.5) == side for x, y, side in points) / len(points)
    nni.report_intermediate_result(accuracy)

# Fetched when the trial has ended.
(Path(nni.get_output_directory()) / "weights.txt").write_text(f"{hidden} {output}\n")
print(f"trained on {socket.gethostname()}")
nni.report_final_result(accuracy)
