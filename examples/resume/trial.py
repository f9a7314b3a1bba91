"""One trial: a bowl whose lowest point is at x = 0.3. One attempt in five dies on its way."""

import os
import random
import signal

import nni

x = nni.get_next_parameter().get("x", 1.0)
for step in range(3):
    nni.report_intermediate_result((x - 0.3) ** 2 + 0.1 / (step + 1))
if os.environ.get("NNI_TRIAL_ATTEMPT") == "0" and random.random() < 0.2:
    os.kill(os.getpid(), signal.SIGKILL)
nni.report_final_result((x - 0.3) ** 2)
