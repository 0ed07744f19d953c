"""What napari imports at start-up is quick and loads none of the slow libraries."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from npe2 import PluginManifest

import napari_medpatch

PATH = Path(napari_medpatch.__file__).with_name("napari.yaml")
SLOW = (
    "torch",
    "torchvision",
    "timm",
    "monai",
    "skimage",
    "sklearn",
    "scipy",
    "zarr",
    "dask",
    "distributed",
    "pandas",
    "pyqtgraph",
    "SimpleITK",
    "highdicom",
    "trimesh",
    "jinja2",
)
SECONDS = 0.3
"""Of the processor; wall time says more about the machine's other work than about the module."""

PROBE = """
import importlib, json, sys, time
import numpy, qtpy.QtWidgets  # napari has loaded these long before it imports a plugin
before = time.process_time()
importlib.import_module({module!r})
print(json.dumps([time.process_time() - before, sorted({{name.split(".")[0] for name in sys.modules}})]))
"""


def modules() -> list[str]:
    commands = PluginManifest.from_file(PATH).contributions.commands or []
    named = {command.python_name.split(":")[0] for command in commands}
    return sorted(named | {"napari_medpatch", "napari_medpatch.cli", "napari_medpatch.plugin.launch"})


def probe(module: str) -> tuple[float, set[str]]:
    code = PROBE.format(module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, loaded = json.loads(done.stdout)
    return seconds, set(loaded)


@pytest.mark.parametrize("module", modules())
def test_import_is_quick_and_loads_nothing_slow(module: str) -> None:
    seconds, loaded = probe(module)
    assert not loaded & set(SLOW)
    assert "napari" not in loaded
    # A busy machine may double the time of one try.
    assert min(seconds, probe(module)[0] if seconds > SECONDS else seconds) < SECONDS
