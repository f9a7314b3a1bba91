"""The names of `nni`, each loaded when it is first used."""

from __future__ import annotations

import _thread
import os
import sys

TYPE_CHECKING = False  # as typing's, which costs more than all of this package
if TYPE_CHECKING:
    from typing import Any

_HOMES = {
    "__version__": "nni.version",
    "NoMoreTrialError": "nni._no_more_trial",
    "enable_global_logging": "nni._logs",
    "silence_stdout": "nni._logs",
    "get_next_parameter": "nni.trial",
    "get_next_parameters": "nni.trial",
    "get_current_parameter": "nni.trial",
    "report_intermediate_result": "nni.trial",
    "report_final_result": "nni.trial",
    "get_experiment_id": "nni.trial",
    "get_trial_id": "nni.trial",
    "get_sequence_id": "nni.trial",
    "get_output_directory": "nni.trial",
    "Experiment": "nni.experiment",
    "ClassArgsValidator": "nni.utils",
    "dump": "nni.common.serializer",
    "load": "nni.common.serializer",
}

# Modules that `import nni` brings in NNI, so that scripts use them without an import of their own.
_MODULES = frozenset(["trial", "experiment", "utils", "common", "typehint"])

_GONE = {
    **dict.fromkeys(
        ["choice", "uniform", "quniform", "loguniform", "qloguniform", "normal", "qnormal"],
        "was for neural architecture search, which is not part of this version; a search space is a dict "
        'such as {"lr": {"_type": "uniform", "_value": [0, 1]}}',
    ),
    **dict.fromkeys(
        [
            "trace",
            "training_update",
            "set_default_framework",
            "get_default_framework",
            "shortcut_module",
            "shortcut_framework",
        ],
        "was for neural architecture search and model compression, which are not part of this version",
    ),
}

# Without Experiment and ClassArgsValidator: `from nni import *` is to work where only nni-trial is installed.
__all__ = [
    name for name, home in _HOMES.items() if home not in ("nni.experiment", "nni.utils", "nni.version")
]


# A process that forks while a thread of it imports leaves its child a module that is never ready.
_loading = _thread.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_loading.acquire, after_in_parent=_loading.release, after_in_child=_loading.release
    )


def load(name: str) -> Any:
    """Imports a module of ours; no fork happens meanwhile."""
    with _loading:
        __import__(name)  # as importlib.import_module, which costs the import of `warnings`
        return sys.modules[name]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return load(f"nni.{name}")
    if name not in _HOMES:
        reason = f": it {_GONE[name]}" if name in _GONE else ""
        raise AttributeError(f"module 'nni' has no attribute {name!r}{reason}")
    value = getattr(load(_HOMES[name]), name)
    setattr(sys.modules["nni"], name, value)
    return value


def __dir__() -> list[str]:
    return sorted({*vars(sys.modules["nni"]), *_HOMES, *_MODULES})


def prepare_trial() -> None:
    """Sees to it that what a trial logs reaches trial.log, if it logs at all."""
    from nni._environment import in_trial

    if in_trial() and os.environ.get("NNI_OUTPUT_DIR"):
        from nni._import_hook import after_import

        after_import("logging", _attach_trial_log)


def _attach_trial_log() -> None:
    from nni._trial_log import attach

    attach()
