"""Every configuration that NNI 3.0 accepted has the same canonical form here.

What NNI answered is recorded: `tools/record_nni_answers.py` writes it anew.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from nni_config import ExperimentConfig

ANSWERS = json.loads((Path(__file__).parent / "data" / "nni_3_0_configurations.json").read_text())


@pytest.mark.parametrize("case", ANSWERS, ids=range(len(ANSWERS)))
def test_the_canonical_form_is_nnis(
    case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/no-such-home")
    path = tmp_path / "exp.yml"
    path.write_text(json.dumps(case["given"]))
    written = ExperimentConfig.load(path).json(secrets=True)
    expected = case["answer"]
    assert written == expected
    # The order of the fields as well: people compare and print these.
    assert json.dumps(written) == json.dumps(expected)
