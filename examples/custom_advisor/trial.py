"""A trial: ten steps down a valley whose bottom, 0, is at (1, 1), reported on the way."""

import time

import nni

parameters = {"x": 0.0, "y": 0.0}
parameters.update(nni.get_next_parameter())
x, y = parameters["x"], parameters["y"]
for _ in range(10):
    loss = (1 - x) ** 2 + (y - x * x) ** 2
    nni.report_intermediate_result(loss)
    time.sleep(0.1)
    x, y = x + 0.1 * (1 - x), y + 0.1 * (x * x - y)
nni.report_final_result((1 - x) ** 2 + (y - x * x) ** 2)
