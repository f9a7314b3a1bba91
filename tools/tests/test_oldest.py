"""Which versions the oldest environments have."""

import re

from workspace.oldest import ENVIRONMENTS, ROOT, oldest_versions


def test_what_is_allowed_at_least_is_what_is_installed() -> None:
    text = (ROOT / "packages" / "nni-manager" / "pyproject.toml").read_text()
    for package in ("numpy", "scipy", "scikit-learn", "optuna", "statsmodels", "starlette"):
        (lowest,) = set(re.findall(rf'"{package}>=([0-9.]+)', text))
        assert f"{package}=={lowest}" in oldest_versions(ENVIRONMENTS["oldest"])


def test_what_the_others_of_ours_need_is_there_too() -> None:
    names = [version.partition("==")[0] for version in oldest_versions(ENVIRONMENTS["oldest"])]
    assert {"typing-extensions", "pydantic", "ruamel.yaml", "typer", "cloudpickle", "protobuf"} <= set(names)
    assert len(names) == len(set(names)) and "pandas" not in names


def test_packages_that_do_not_go_together_are_apart() -> None:
    oldest, with_smac = (oldest_versions(environment) for environment in ENVIRONMENTS.values())
    assert not any(version.startswith(("smac", "nni")) for version in oldest)
    assert "smac==2.4" in with_smac
    assert "scikit-learn==1.6.1" in with_smac


def test_every_extra_is_in_one_of_them() -> None:
    text = (ROOT / "packages" / "nni-manager" / "pyproject.toml").read_text()
    (everything,) = re.findall(r'all = \["nni-manager\[(.*)\]"\]', text)
    assert ENVIRONMENTS["oldest"].extras.split(",") == [
        name for name in everything.split(",") if name != "SMAC"
    ]
    assert ENVIRONMENTS["oldest-smac"].extras == "all"
