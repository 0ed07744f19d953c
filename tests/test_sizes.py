"""Small files and small functions, read from the source."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

import napari_medpatch

ROOT = Path(napari_medpatch.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60
MOST_LINES_OF_HALF_THE_FUNCTIONS = 10


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the functions of a file and how many lines each has, its docstring included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_and_functions_are_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES_OF_A_FILE
    assert [(name, lines) for name, lines in functions(path) if lines > MOST_LINES_OF_A_FUNCTION] == []


def test_most_functions_are_very_small() -> None:
    lengths = [lines for path in FILES for _, lines in functions(path)]
    assert len(lengths) > 1000
    assert median(lengths) <= MOST_LINES_OF_HALF_THE_FUNCTIONS
