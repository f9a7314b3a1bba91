"""The search space of a made experiment, and what the model behind it would have answered."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

HTML = "<img src=x onerror=alert(1)>"
"""Text that must never become part of a page."""

LONG_NAME = "a_parameter_with_a_very_long_name_" * 4

SEARCH_SPACE: dict[str, dict[str, Any]] = {
    "lr": {"_type": "loguniform", "_value": [1e-5, 1e-1]},
    "batch_size": {"_type": "choice", "_value": [16, 32, 64, 128, 256]},
    "dropout": {"_type": "uniform", "_value": [0.0, 0.9]},
    "weight decay": {"_type": "qloguniform", "_value": [1e-6, 1e-1, 1e-6]},
    "status": {"_type": "quniform", "_value": [0, 10, 1]},
    "noise": {"_type": "normal", "_value": [0.0, 1.0]},
    "warm_up": {"_type": "randint", "_value": [0, 1000]},
    "activation": {
        "_type": "choice",
        "_value": ["relu", "tanh", HTML, "形状 ✓", 'a "quoted" word, and (more)'],
    },
    "flags": {"_type": "choice", "_value": [True, False]},
    "fixed": {"_type": "choice", "_value": ["always"]},
    f"<b>{HTML}</b>": {"_type": "uniform", "_value": [-1.0, 1.0]},
    "größe_é": {"_type": "randint", "_value": [1, 9]},
    LONG_NAME: {"_type": "uniform", "_value": [0.0, 1.0]},
    "optimizer": {
        "_type": "choice",
        "_value": [
            {"_name": "SGD", "momentum": {"_type": "uniform", "_value": [0.0, 0.99]}},
            {"_name": "Adam", "epsilon": {"_type": "loguniform", "_value": [1e-10, 1e-4]}},
            {"_name": "None"},
        ],
    },
    "layer0": {
        "_type": "choice",
        "_value": [
            {"_name": "Empty"},
            {"_name": "Conv", "kernel": {"_type": "choice", "_value": [1, 3, 5, 7]}},
            {
                "_name": "Dense",
                "units": {"_type": "randint", "_value": [8, 513]},
                "norm": {
                    "_type": "choice",
                    "_value": [
                        {"_name": "batch", "momentum": {"_type": "uniform", "_value": [0.5, 1.0]}},
                        {"_name": "layer"},
                    ],
                },
            },
        ],
    },
}
"""Of every kind that a page treats in its own way; the nested ones are conditional."""


def accuracy(parameters: Mapping[str, Any]) -> float:
    """Returns how good parameters are without noise, from 0 to 1.

    The learning rate matters most, then the layer and the dropout; batch size and optimizer a little, and the
    rest not at all.
    """
    layer = parameters["layer0"]
    of_layer = {"Empty": -0.12, "Conv": 0.04, "Dense": 0.0}[layer["_name"]]
    if layer["_name"] == "Dense":
        of_layer += 0.05 * (layer["units"] / 512 - 0.5)
    return float(
        0.92
        - 0.03 * (math.log10(parameters["lr"]) + 2.5) ** 2
        - 0.15 * (parameters["dropout"] - 0.3) ** 2
        + of_layer
        + 0.01 * math.log2(parameters["batch_size"] / 64)
        + (0.02 if parameters["optimizer"]["_name"] == "Adam" else 0.0)
    )
