import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from napari_medpatch.plugin import early_imports


def test_torch_works_after_its_libraries_were_loaded_ahead() -> None:
    code = (
        "from napari_medpatch.plugin.early_imports import _load_libraries, import_torch\n"
        "_load_libraries()\n"
        "import_torch()\n"
        "import torch\n"
        "print(float(torch.ones(2, 3).sum()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() == "6.0"


@pytest.mark.parametrize("spec", [None, SimpleNamespace(submodule_search_locations=None)])
def test_without_torch_or_its_folder_nothing_is_loaded(monkeypatch: pytest.MonkeyPatch, spec: Any) -> None:
    monkeypatch.setattr(early_imports.importlib.util, "find_spec", lambda name: spec)
    monkeypatch.setattr(early_imports.ctypes, "CDLL", lambda name: pytest.fail("a library was loaded"))
    early_imports._load_libraries()


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_imports.sys, "platform", "win32")
    monkeypatch.setattr(early_imports.ctypes, "CDLL", lambda name: pytest.fail("a library was loaded"))
    early_imports._load_libraries()


def test_nothing_is_done_where_torch_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())
    monkeypatch.setattr(early_imports, "_load_libraries", lambda: pytest.fail("a library was loaded"))
    early_imports.import_torch()
