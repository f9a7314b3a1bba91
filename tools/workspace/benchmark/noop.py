"""The trial: notes its first and its last line, and reports in between unless told not to."""

import os
import sys
import time


def note(word: str) -> None:
    """Appends a word and the time to the file named on the command line."""
    file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{word} {time.time()}\n".encode())
    os.close(file)


note("first")
if sys.argv[2] == "report":
    import nni

    parameters = nni.get_next_parameter()
    nni.report_final_result(parameters["x"])
note("last")
