from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest


def messages(trial: Any) -> list[str]:
    """Returns the lines of trial.log without their times; no file is no line."""
    text = trial.log.read_text(encoding="utf-8") if trial.log.exists() else ""
    return [re.sub(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d{4}\] ", "", line) for line in text.splitlines()]


ORDERS = [
    "import nni; import logging",
    "import logging; import nni",
    "import nni; nni.get_next_parameter(); import logging",
    "import logging.handlers; import nni",
    "import nni; import concurrent.futures; import logging",
]


@pytest.mark.parametrize("imports", ORDERS)
@pytest.mark.parametrize("version", ["3.8", "3.11", "3.13"])
def test_info_and_above_reach_trial_log(
    imports: str, version: str, trial: Any, find_python: Callable[[str], str]
) -> None:
    code = f"""
    {imports}
    logging.debug("too little")
    logging.info("by the module's function")
    logging.getLogger("a.b").info("by a logger, ü")
    library = logging.getLogger("library")
    library.addHandler(logging.NullHandler())
    library.info("by a library")
    logging.getLogger("a").warning("also to stderr")
    """
    result = trial.run(code, python=find_python(version), options=("-W", "error"))
    assert messages(trial) == [
        "INFO (root/MainThread) by the module's function",
        "INFO (a.b/MainThread) by a logger, ü",
        "INFO (library/MainThread) by a library",
        "WARNING (a/MainThread) also to stderr",
    ]
    assert (result.stdout, result.stderr) == ("", "also to stderr\n")


SET_UPS = {
    "basicConfig": "logging.basicConfig(stream=sys.stdout, format=FORMAT)",
    "basicConfig without arguments": (
        "logging.basicConfig()\nlogging.getLogger().handlers[0].setStream(sys.stdout)"
    ),
    "basicConfig by force": "logging.basicConfig(stream=sys.stdout, format=FORMAT, force=True)",
    "a handler": "logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))",
    "a handler if there is none": (
        "root = logging.getLogger()\n"
        "assert not root.handlers and not logging.getLogger('x').hasHandlers()\n"
        "root.addHandler(logging.StreamHandler(sys.stdout))"
    ),
    "handlers taken away first": (
        "for h in list(logging.getLogger().handlers): logging.getLogger().removeHandler(h)\n"
        "logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))"
    ),
    "dictConfig": (
        "import logging.config\n"
        "logging.config.dictConfig({'version': 1, 'root': {'handlers': ['out']}, 'handlers': "
        "{'out': {'class': 'logging.StreamHandler', 'stream': 'ext://sys.stdout'}}})"
    ),
}


@pytest.mark.parametrize("set_up", SET_UPS)
@pytest.mark.parametrize("first", [True, False], ids=["before nni", "after nni"])
def test_a_script_with_logging_of_its_own_does_not_notice(set_up: str, first: bool, trial: Any) -> None:
    lines = ["import sys, logging", "FORMAT = '%(message)s'"]
    steps = [SET_UPS[set_up], "import nni; nni.get_next_parameter()"]
    lines += steps if first else reversed(steps)
    lines += ["logging.getLogger('x').info('INFO'); logging.warning('WARNING')"]
    lines += ["print(logging.getLogger().level, len(logging.getLogger().handlers))"]
    result = trial.run("\n".join(lines))
    logged, state = result.stdout.splitlines()
    assert logged.endswith("WARNING")
    assert state == "30 1"
    assert messages(trial) == []


def test_a_level_set_by_the_script_stays(trial: Any) -> None:
    result = trial.run("""
    import sys, logging, nni
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(logging.StreamHandler(sys.stdout))
    logging.info("shown")
    print(root.level)
    """)
    assert result.stdout == "shown\n20\n"


def test_a_level_set_without_a_handler_counts(trial: Any) -> None:
    trial.run("""
    import logging
    logging.getLogger().setLevel(logging.ERROR)
    import nni
    logging.warning("too little")
    logging.error("enough")
    """)
    assert messages(trial) == ["ERROR (root/MainThread) enough"]


def test_nni_leaves_a_program_outside_a_trial_alone(trial: Any) -> None:
    result = trial.run(
        """
        import logging
        before = logging.basicConfig
        import nni
        root = logging.getLogger()
        print(type(root.handlers), root.handlers, root.level, logging.basicConfig is before)
        logging.info("not shown")
        """,
        NNI_PLATFORM="",
    )
    assert result.stdout == "<class 'list'> [] 30 True\n"


def test_processes_of_a_trial_share_the_log(trial: Any) -> None:
    trial.run("""
    import logging, multiprocessing
    import nni

    def log(count):
        logging.info("child %d", count)

    if __name__ == "__main__":
        logging.info("parent")
        for method in ("fork", "spawn"):
            with multiprocessing.get_context(method).Pool(2) as pool:
                pool.map(log, range(20), chunksize=1)
    """)
    lines = [line.split(") ")[1] for line in messages(trial)]
    assert sorted(lines) == sorted(["parent", *[f"child {count}" for count in range(20)] * 2])


def test_the_module_of_logging_looks_as_ever(trial: Any) -> None:
    trial.run("""
    import nni, sys
    import logging, inspect, importlib
    assert type(logging.__loader__) is type(inspect.__loader__)
    assert logging.__spec__.loader is logging.__loader__
    assert "def basicConfig" in inspect.getsource(logging)
    assert not [finder for finder in sys.meta_path if "nni" in type(finder).__module__]
    """)


def test_a_log_that_cannot_be_written_does_not_end_the_trial(trial: Any) -> None:
    trial.log.mkdir()
    result = trial.run(
        "import nni, logging; logging.info('x'); nni.get_next_parameter(); nni.report_final_result(1)"
    )
    assert "trial.log cannot be written, the log goes on here" in result.stderr
    assert "INFO (root/MainThread) x" in result.stderr
    assert trial.values("f") == [1]


def test_global_logging_in_a_trial_keeps_trial_log(trial: Any) -> None:
    result = trial.run("""
    import sys, logging, nni
    nni.enable_global_logging()
    logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))
    logging.info("both")
    nni.enable_global_logging(False)
    logging.info("own only")
    """)
    assert messages(trial) == ["INFO (root/MainThread) both"]
    assert result.stdout == "both\nown only\n"
