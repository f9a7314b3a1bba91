"""How much each parameter matters for a result: what is asked, and the process that answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import signal
import sys
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nni_manager.analysis.interface import FEWEST_ROWS, MOST_ROWS, Cell, Importance, Measured
from nni_manager.experiments.errors import WrongExperimentStatusError
from nni_manager.experiments.trial_table.names import Source
from nni_manager.experiments.trial_table.query import TrialQuery

if TYPE_CHECKING:
    from nni_manager.experiments.trial_table.cells import Cells, Indexes
    from nni_manager.experiments.trial_table.table import TrialTable

_SECONDS = 120.0
_ANSWERS_KEPT = 16
_MOST_PARAMETERS = 500
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class ImportanceFailedError(Exception):
    """The process that measures ended without an answer; the text says what it printed last."""


@dataclass(frozen=True, slots=True)
class ImportanceQuestion:
    """What importance is measured from.

    Attributes:
        text: The request to the process; the same text has the same answer.
        trial_count: How many trials are in it.
        revision: The revision that it was read at.
    """

    text: bytes
    trial_count: int
    revision: int


def importance_question(table: TrialTable, metric: str, filter_text: str) -> ImportanceQuestion:
    """Returns the question for the trials of a table.

    Of more than 2,000 trials with a result, 2,000 are taken at even distances in the order of their numbers.

    Args:
        table: The trials.
        metric: The column that is to be explained; "" for the objective.
        filter_text: Which trials count, in the language of filters; "" for all.

    Raises:
        InvalidArgumentError: There is no such column, or the filter is not one.
        WrongExperimentStatusError: Fewer than 10 trials have a number in the column.
    """
    import numpy as np  # Here, since most managers are never asked; what makes tables needs it too.

    from nni_manager.experiments.trial_table.querying import chosen

    metric = metric or "objective"
    cells = table.cells(table.column(metric, "metric"))
    filtered = chosen(table, TrialQuery(filter_text)).rows
    rows = filtered[~np.isnan(cells.numbers[filtered])]
    if len(rows) < FEWEST_ROWS:
        which = " that the filter holds for" if filter_text else ""
        raise WrongExperimentStatusError(
            f"the importance of parameters can be measured once {FEWEST_ROWS} trials{which} have a number as "
            f"{metric}; there are {len(rows)}"
        )
    if len(rows) > MOST_ROWS:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_ROWS).astype(np.intp)]
    keys = list(dict.fromkeys((*table.expected, *table.known)))
    columns = [(key.name, _cells(table.cells(key), rows)) for key in keys if key.source is Source.PARAMETER]
    request = {
        "columns": columns[:_MOST_PARAMETERS],
        "results": [float(number) for number in cells.numbers[rows]],
        "seed": 0,
    }
    return ImportanceQuestion(json.dumps(request).encode(), len(rows), table.revision)


class ImportanceMeter:
    """Answers questions, one at a time, in processes of their own; remembers the last answers."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._answers: OrderedDict[bytes, Measured] = OrderedDict()

    async def answer(self, question: ImportanceQuestion) -> Measured:
        """Returns the answer to a question.

        Raises:
            WrongExperimentStatusError: scikit-learn is not installed; the text says how to install it.
            ImportanceFailedError: It could not be measured.
        """
        async with self._lock:
            answer = self._answers.get(question.text)
            if answer is None:
                answer = self._answers[question.text] = _parsed(await _asked(question.text))
            self._answers.move_to_end(question.text)
            while len(self._answers) > _ANSWERS_KEPT:
                self._answers.popitem(last=False)
            return answer


def _cells(cells: Cells, rows: Indexes) -> list[Cell]:
    from nni_manager.experiments.trial_table.cells import NUMBER, TEXT

    found: list[Cell] = []
    for kind, number, code in zip(cells.kinds[rows], cells.numbers[rows], cells.codes[rows], strict=True):
        if kind == TEXT:
            found.append(cells.texts[code])
        else:
            found.append(float(number) if kind == NUMBER and not math.isnan(number) else None)
    return found


async def _asked(request: bytes) -> bytes:
    environment = {**os.environ, **dict.fromkeys(_THREAD_VARIABLES, "1")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "nni_manager.analysis.importance_process",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
        env=environment,
        start_new_session=True,
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(request), _SECONDS)
    except asyncio.TimeoutError:
        raise ImportanceFailedError(f"measuring took more than {_SECONDS:.0f} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode != 0:
        tail = errors.decode(errors="replace").strip()[-2000:]
        raise ImportanceFailedError(f"measuring failed (exit code {process.returncode}): {tail}")
    return output


def _parsed(output: bytes) -> Measured:
    answer = json.loads(output)
    if "missing" in answer:
        raise WrongExperimentStatusError(
            f"the importance of parameters is measured by {answer['missing']}, which is not installed for "
            f'{sys.executable}; install with: pip install "nni-manager[importance]"'
        )
    return Measured([Importance(**each) for each in answer["importances"]], answer["explained"])
