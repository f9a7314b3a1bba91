"""A trial: a function of two numbers with its smallest value, 0, at (1, 1)."""

import nni

parameters = {"x": 0.0, "y": 0.0}
parameters.update(nni.get_next_parameter())
x, y = parameters["x"], parameters["y"]
nni.report_final_result((1 - x) ** 2 + 100 * (y - x * x) ** 2)
