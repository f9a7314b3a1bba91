"""The trial: reports results, and notes each before and after in a file of its own, elsewhere and with fsync.

    python trial.py FOLDER_FOR_NOTES

Every second trial reports from two processes. Where the disk is full a report is tried again under the next
number, but every third trial gives up.
"""

import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import nni

RESULTS = 5
LONGEST_PAUSE = 0.12

sequence, attempt = int(os.environ["NNI_TRIAL_SEQ_ID"]), os.environ["NNI_TRIAL_ATTEMPT"]
file = os.open(
    f"{sys.argv[1]}/{os.environ['NNI_TRIAL_JOB_ID']}-{attempt}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
)


def note(word: str, number: int = 0) -> None:
    """Appends a word, this process and a number."""
    os.write(file, f"{word} {os.getpid()} {number}\n".encode())
    os.fsync(file)


def report(function: Callable[[Any], None], number: int) -> int:
    """Reports until it works; returns the next number."""
    while True:
        note("reporting", number)
        try:
            function({"default": parameters["x"] + number, "by": os.getpid(), "number": number})
        except OSError:
            note("refused", number)
            if sequence % 3 == 0:
                raise
            time.sleep(0.1)
            number += 1
        else:
            note("reported", number)
            return number + 1


note("runs")
parameters = nni.get_next_parameter()
chance = random.Random(f"{sequence} {attempt}")
number = 0
child = os.fork() if sequence % 2 else None
for _ in range(RESULTS):
    time.sleep(chance.uniform(0, LONGEST_PAUSE))
    number = report(nni.report_intermediate_result, number)
if child == 0:
    os._exit(0)
if child is not None and os.waitpid(child, 0)[1] != 0:
    sys.exit("the second process failed")
report(nni.report_final_result, number)
note("done")
