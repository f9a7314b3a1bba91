"""The trial: a function that costs next to nothing, so one process computes it for trial after trial."""

import nni

while True:
    parameters = nni.get_next_parameter()
    if parameters is None:  # there are no more trials
        break
    x, y = parameters["x"], parameters["y"]
    nni.report_final_result((1 - x) ** 2 + 100 * (y - x * x) ** 2)
