"""One trial: a line through points, by steps down the slope. It needs nothing but Python."""

import os
import random
from pathlib import Path

import nni

parameters = {"rate": 0.1, "batch": 4}
parameters.update(nni.get_next_parameter())
rate, batch = parameters["rate"], parameters["batch"]

source = random.Random(0)
points = [(x / 50, 3 * x / 50 - 1 + source.gauss(0, 0.1)) for x in range(-50, 50)]
slope = offset = loss = 0.0
for _ in range(20):
    source.shuffle(points)
    for start in range(0, len(points), batch):
        part = points[start : start + batch]
        errors = [(slope * x + offset - y, x) for x, y in part]
        slope -= rate * sum(error * x for error, x in errors) / len(part)
        offset -= rate * sum(error for error, _ in errors) / len(part)
    loss = sum((slope * x + offset - y) ** 2 for x, y in points) / len(points)
    nni.report_intermediate_result(loss)

# Sent to the storage, and so on the machine that the search was started on.
(Path(nni.get_output_directory()) / "line.txt").write_text(f"{slope} {offset}\n")
print("trained in job", os.environ.get("AZUREML_RUN_ID"))
nni.report_final_result(loss)
