"""The arrows of the architecture: who may import whom, read from the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_medpatch

ROOT = Path(napari_medpatch.__file__).parent
GUI = {"napari", "qtpy", "PyQt5", "PyQt6", "PySide6", "magicgui", "superqt", "pyqtgraph", "vispy", "app_model"}
BINDINGS = {"PyQt5", "PyQt6", "PySide2", "PySide6"}
MAY_NOT_IMPORT = {
    "io": {"patches", "infer", "train", "annotate", "evaluate", "plugin", "cli", "samples"},
    "patches": {"infer", "train", "annotate", "evaluate", "plugin", "cli", "samples"},
    "models": {"io.slide", "infer", "train", "annotate", "evaluate", "plugin", "cli", "samples", "patches"},
    "infer": {"train", "annotate", "evaluate", "plugin", "cli", "samples"},
    "annotate": {"train", "infer", "evaluate", "plugin", "cli", "samples"},
    "train": {"plugin", "cli", "samples"},
    "evaluate": {"infer", "train", "annotate", "plugin", "cli", "samples"},
    "samples": {"infer", "train", "plugin", "cli"},
    "plugin": {"cli"},
}
FILES = sorted(ROOT.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield str(node.module)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [p for p in FILES if "plugin" not in p.relative_to(ROOT).parts], ids=name_of)
def test_core_knows_nothing_of_napari_and_qt(path: Path) -> None:
    found = {name.split(".")[0] for name in imports(path)} & GUI
    assert not found
    inner = {name for name in imports(path) if name.startswith("napari_medpatch.plugin")}
    assert not inner or path.relative_to(ROOT).parts[0] == "cli"


@pytest.mark.parametrize("path", [p for p in FILES if "plugin" in p.relative_to(ROOT).parts], ids=name_of)
def test_qt_comes_through_qtpy_and_napari_through_public_names(path: Path) -> None:
    names = set(imports(path))
    assert not {name.split(".")[0] for name in names} & BINDINGS
    assert not [name for name in names if name.startswith("napari.") and "._" in name]


@pytest.mark.parametrize("package", sorted(MAY_NOT_IMPORT))
def test_arrows_point_one_way(package: str) -> None:
    banned = tuple(f"napari_medpatch.{other}" for other in MAY_NOT_IMPORT[package])
    wrong = [
        f"{name_of(path)} imports {name}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for name in imports(path)
        if any(name == other or name.startswith(other + ".") for other in banned)
    ]
    assert wrong == []


def test_no_package_imports_another_ones_privates() -> None:
    wrong = [
        f"{name_of(path)} imports {name}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("napari_medpatch.")
        for name in (alias.name for alias in node.names)
        if name.startswith("_") and not name.startswith("__")
    ]
    assert wrong == []
