"""The trial: reports numbers, and notes each one in its output folder once the report has returned."""

import os
import time
from pathlib import Path

import nni

while nni.get_next_parameter() is not None:
    with Path(os.environ["NNI_OUTPUT_DIR"], "returned.txt").open("ab", buffering=0) as notes:
        for number in range(5):
            time.sleep(0.01)
            nni.report_intermediate_result(number)
            notes.write(b"%d\n" % number)
        nni.report_final_result(5)
        notes.write(b"5\n")
