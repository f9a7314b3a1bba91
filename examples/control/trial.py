"""One trial: the value of a bowl at a point, reached in three steps."""

import nni

point = {"x": 1.0, "y": 1.0}
point.update(nni.get_next_parameter())
value = point["x"] ** 2 + point["y"] ** 2
for step in range(1, 4):
    nni.report_intermediate_result(value + 1 / step)
nni.report_final_result(value)
