"""Records what NNI 3.0 makes of configuration files in its V1 form; run it with the Python that has NNI.

/path/to/nni/bin/python tools/record_v1_conversions.py
"""

from __future__ import annotations

import copy
import json
import logging
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "packages" / "nni-config" / "tests" / "data" / "v1_conversions.json"


def nni_answer(form: dict[str, Any]) -> dict[str, Any]:
    """Returns NNI's V2 form and what it logs as lost, or the error it raises."""
    from nni.experiment.config.convert import to_v2  # type: ignore[import-not-found]

    lost: list[str] = []
    logger = logging.getLogger("nni.experiment.config.convert")
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: lost.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    try:
        return {"v2": to_v2(copy.deepcopy(form)), "lost": lost}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        logger.removeHandler(handler)


if __name__ == "__main__":
    cases = json.loads(DATA.read_text())
    for case in cases.values():
        case["nni"] = nni_answer(case["v1"])
    DATA.write_text(json.dumps(cases, indent=1) + "\n")
