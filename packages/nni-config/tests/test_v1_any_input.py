"""Whatever is in a file in NNI's V1 form: it is valid when converted, or its problems name its keys."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from nni_config import ExperimentConfig, InvalidConfigError
from nni_config.v1_form import known_keys
from nni_config.v1_keys import PLATFORMS
from nni_config.yaml_file import read_yaml
from nni_config.yaml_text import yaml_text

PATHS = [key.path for key in known_keys().values() if key.shape == "value"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | TEXT
VALUES = (
    SCALARS
    | st.sampled_from(["1h", "TPE", ".", "info", "0,1", "a.py", "NFS", 1, 2, True])
    | st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
        max_leaves=3,
    )
)
PLATFORM = st.sampled_from([*PLATFORMS, *PLATFORMS, "hybrid", "dlts", "", None, 3])


def put(form: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    place: Any = form
    for step, following in zip(path, [*path[1:], None], strict=True):
        content = value if following is None else [] if following == "*" else {}
        if step == "*":
            if not place or following is None:
                place.append(content)
            place = place[0]
        else:
            place = place.setdefault(step, content)


@st.composite
def forms(draw: st.DrawFn) -> dict[str, Any]:
    form: dict[str, Any] = {"trainingServicePlatform": draw(PLATFORM)}
    for path in draw(st.lists(st.sampled_from(PATHS), max_size=12, unique=True)):
        if path[0] not in ("trainingServicePlatform",) and path[-1] != "*":
            put(form, path, draw(VALUES))
    return form


def names_a_key(shown: str) -> bool:
    names = [step for step in re.sub(r"\[\d+\]", ".*", shown).split(".") if step]
    return any(list(key.path) == names[: len(key.path)] for key in known_keys().values())


@settings(max_examples=150, deadline=None)
@given(forms())
def test_a_form_is_converted_or_its_problems_name_its_keys(form: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "exp.yml"
        path.write_text(yaml_text(form), encoding="utf-8")
        try:
            config = ExperimentConfig.load(path)
        except InvalidConfigError as error:
            wrong = error.problems
        else:
            assert config.conversion_notice()
            try:
                config.validate()
            except InvalidConfigError as error:
                wrong = error.problems
            else:
                wrong = ()
        for problem in wrong:
            assert problem.location.startswith(str(path)), problem
            assert problem.line > 0
            assert names_a_key(problem.shown_path), problem


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_what_is_written_as_yaml_is_read_back(value: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.yml"
        path.write_bytes(yaml_text(value).encode())
        document = read_yaml(path)
    assert document.problems == []
    # repr tells 1 from True and from 1.0, and NaN from nothing.
    assert repr(document.value) == repr(value)
