"""The pages of the configuration classes: in step, whole, with examples that load."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import generate_config_docs
import pytest
from jsonschema import Draft202012Validator
from nni_config import ConfigBase, ExperimentConfig, InvalidConfigError
from nni_config.field_texts import NOT_BLANK, field_texts, in_words_of_yaml, summary
from nni_config.fields import field_kinds
from nni_config.json_schema import experiment_schema
from nni_config.yaml_file import read_yaml

CLASSES = generate_config_docs.documented_classes()
FIELDS = [(each, name) for each in CLASSES for name in each.model_fields]
IDS = [f"{each.__name__}.{name}" for each, name in FIELDS]


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the pages that the generator takes for the real ones."""
    folder = tmp_path / "configuration"
    shutil.copytree(generate_config_docs.FOLDER, folder)
    monkeypatch.setattr(generate_config_docs, "FOLDER", folder)
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with what the examples say is there."""
    folder = tmp_path / "home"
    for name in (".ssh", "shared", "pai"):
        (folder / name).mkdir(parents=True)
    (folder / ".ssh" / "id_ed25519").touch()
    monkeypatch.setenv("HOME", str(folder))
    return folder


def test_the_pages_are_in_step() -> None:
    assert generate_config_docs.main(["--check"]) == 0


def test_what_is_out_of_step_is_named_and_written(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = copy / "LocalConfig.md"
    was = page.read_text()
    page.write_text(was.replace("machine", "planet"))
    (copy / "AmlConfig.md").unlink()
    (copy / "GoneConfig.md").touch()
    (copy / "editors.md").write_text("by hand")
    assert generate_config_docs.main(["--check"]) == 1
    named = re.findall(r"docs/configuration/(\S+) is out of step", capsys.readouterr().err)
    assert named == ["AmlConfig.md", "GoneConfig.md", "LocalConfig.md"]
    assert page.read_text() != was
    assert generate_config_docs.main([]) == 0
    assert generate_config_docs.main(["--check"]) == 0
    assert page.read_text() == was
    assert not (copy / "GoneConfig.md").exists()
    assert (copy / "editors.md").read_text() == "by hand"


def test_a_field_that_nobody_describes_is_named() -> None:
    class SilentConfig(ConfigBase):
        """A class.

        Attributes:
            spoken: Something. Rule: any text.
        """

        spoken: str | None = None
        silent: str | None = None

    with pytest.raises(SystemExit, match="the docstring of SilentConfig says nothing of silent"):
        generate_config_docs.page(SilentConfig)


def test_every_class_has_a_page() -> None:
    assert len(CLASSES) == 21
    assert all(summary(each) for each in CLASSES)
    index = (generate_config_docs.FOLDER / "README.md").read_text()
    assert re.findall(r"^\| \[(\w+)\]", index, re.MULTILINE) == [each.__name__ for each in CLASSES]
    examples = {path.stem for path in generate_config_docs.EXAMPLES.iterdir()}
    assert examples == {each.__name__ for each in CLASSES}


@pytest.mark.parametrize(("config_class", "name"), FIELDS, ids=IDS)
def test_every_field_has_its_meaning_unit_and_rule(config_class: type[ConfigBase], name: str) -> None:
    said = field_texts(config_class)[name]
    assert re.fullmatch(r"[A-Z\"0-9].*\.", said.meaning), said
    field_type = generate_config_docs.type_of(config_class, name)
    is_number = field_type.name in ("whole number", "duration", "size of memory", "GPUs")
    assert bool(said.unit or field_type.unit) == is_number
    assert field_type.rule or said.rules
    assert all(rule and not rule.endswith(".") for rule in said.rules)
    page = (generate_config_docs.FOLDER / f"{config_class.__name__}.md").read_text()
    assert in_words_of_yaml(said.meaning, "`").split()[0] in page


NOT_TRIED = ("trial_command", "nni_manager_ip", "platform", "storage_type", "class_name", "name")
"""Fields for which a blank is refused in other words, or in other places."""

TEXTS = [
    (config_class, name)
    for config_class, name in FIELDS
    if field_kinds(config_class)[name].is_text
    and name not in NOT_TRIED
    # Without a type it is not known which fields a storage has.
    and config_class.__name__ not in ("K8sStorageConfig", "SharedStorageConfig")
]


@pytest.mark.parametrize(
    ("config_class", "name"), TEXTS, ids=[f"{each.__name__}.{name}" for each, name in TEXTS]
)
def test_the_rule_that_text_is_not_blank_is_true(config_class: type[ConfigBase], name: str) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        config_class(**{name: " "}).validate()
    problems = [str(problem) for problem in caught.value.problems if problem.path[-1:] == (name,)]
    is_refused = any("blank" in problem for problem in problems)
    assert is_refused == (NOT_BLANK in field_texts(config_class)[name].rules)


def contained(config: Any) -> Iterator[ConfigBase]:
    """Yields a configuration and all within it."""
    yield config
    for _, child in config._children():
        yield from contained(child)


@pytest.mark.parametrize("config_class", CLASSES, ids=lambda each: each.__name__)
def test_the_examples_load(config_class: type[ConfigBase], home: Path) -> None:
    path = generate_config_docs.EXAMPLES / f"{config_class.__name__}.yml"
    value = read_yaml(path).value
    is_whole = "trainingService" in value
    loaded = (ExperimentConfig if is_whole else config_class).load(path).canonical_copy()
    assert any(isinstance(each, config_class) for each in contained(loaded))
    if is_whole:
        Draft202012Validator(experiment_schema()).validate(value)
        assert isinstance(loaded, ExperimentConfig)
        assert loaded.warnings() == [] or loaded.training_services()[0].platform != "local"
    text = (generate_config_docs.FOLDER / f"{config_class.__name__}.md").read_text()
    assert f"```yaml\n{path.read_text()}```" in text


def test_tables_line_up() -> None:
    for path in generate_config_docs.FOLDER.glob("*.md"):
        for block in re.findall(r"(?:^\|.*\n)+", path.read_text(), re.MULTILINE):
            columns = [[at.start() for at in re.finditer(r"\|", line)] for line in block.splitlines()]
            assert all(each == columns[0] for each in columns), path.name


def test_links_lead_somewhere() -> None:
    for path in generate_config_docs.FOLDER.glob("*.md"):
        links = re.findall(r"\]\(([^)#]+)", path.read_text())
        assert [link for link in links if not (path.parent / link).exists()] == [], path.name


def test_the_language_of_the_pages_is_that_of_yaml() -> None:
    assert (
        in_words_of_yaml("None unless use_active_gpu is; {_type}") == "null unless useActiveGpu is; {_type}"
    )
    for path in generate_config_docs.FOLDER.glob("*Config.md"):
        assert "use_active_gpu" not in path.read_text()
