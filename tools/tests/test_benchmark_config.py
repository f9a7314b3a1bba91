"""The benchmark of configurations measures what it says."""

from __future__ import annotations

from pathlib import Path

import benchmark_config
import pytest
from nni_config import ExperimentConfig


@pytest.mark.parametrize("options", [None, 100])
def test_its_files_are_valid(tmp_path: Path, options: int | None) -> None:
    path = tmp_path / "experiment.yml"
    path.write_text(benchmark_config.TYPICAL if options is None else benchmark_config.large(options))
    space = ExperimentConfig.load(path).json()["searchSpace"]
    assert len(space.get("many", {}).get("_value", [])) == (options or 0)


def test_the_table() -> None:
    measured = benchmark_config.measure(1, 10)
    assert [name for name, _ in measured] == [case.name for case in benchmark_config.cases(10)]
    lines = benchmark_config.table(measured).splitlines()
    assert len(lines) == 1 + len(measured)
    assert next(line for line in lines if "pydantic, with" in line).endswith("1.00")


def test_a_process_that_fails_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="failed: nothing"):
        benchmark_config.run(benchmark_config.Case("nothing", "raise SystemExit(1)"), tmp_path / "a.yml")
