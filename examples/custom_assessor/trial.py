"""A trial: gradient descent to the smallest value, 0, of a function; a small learning rate takes long."""

import time

import nni

parameters = {"learning_rate": 0.1}
parameters.update(nni.get_next_parameter())
x, y = 4.0, 2.0
for _ in range(20):
    x -= parameters["learning_rate"] * 2 * x
    y -= parameters["learning_rate"] * 2 * y
    nni.report_intermediate_result(x * x + y * y)
    time.sleep(0.1)
nni.report_final_result(x * x + y * y)
