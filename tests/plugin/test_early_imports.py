import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from napari_medpatch.plugin import early_imports
from napari_medpatch.plugin import tab as tab_module
from napari_medpatch.plugin.evaluate_widget import EvaluateWidget
from napari_medpatch.plugin.layers import layer_data
from napari_medpatch.plugin.segment_widget import SegmentWidget


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


def test_imports_are_begun_once_in_a_thread_of_their_own() -> None:
    threads: list[int] = []

    def load() -> None:
        threads.append(threading.get_ident())

    assert early_imports.import_ahead(load) is early_imports.import_ahead(load)
    early_imports.import_ahead(load).result(timeout=60)
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


def test_an_import_that_fails_is_left_to_the_job() -> None:
    def load() -> None:
        raise OSError("no such library")

    assert isinstance(early_imports.import_ahead(load).exception(timeout=60), OSError)


@pytest.mark.parametrize(("widget", "expected"), [(SegmentWidget, True), (EvaluateWidget, False)])
def test_a_tab_gets_ready_when_it_is_seen_with_an_image(
    viewer: Any, qtbot: Any, volume: Any, monkeypatch: pytest.MonkeyPatch, widget: type, expected: bool
) -> None:
    begun: list[Any] = []
    monkeypatch.setattr(tab_module, "import_ahead", begun.append)
    tab = widget(viewer)
    qtbot.addWidget(tab)
    tab.show()
    assert begun == [], "there is nothing to work on yet"
    ((data, attributes, _),) = layer_data(volume)
    viewer.add_image(data, **attributes)
    wanted = [early_imports.import_for_labels, early_imports.import_torch]
    assert begun == (wanted if expected else [])
