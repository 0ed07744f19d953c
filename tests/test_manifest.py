"""The manifest is valid, everything that it names exists, and files find their readers and writers."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from npe2 import PluginManifest

import napari_medpatch

PATH = Path(napari_medpatch.__file__).with_name("napari.yaml")


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(PATH)


def test_npe2_accepts_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", "--no-imports", str(PATH)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_exists_and_is_used(manifest: PluginManifest) -> None:
    parts = manifest.contributions
    for command in parts.commands or []:
        module, name = command.python_name.split(":")
        assert callable(getattr(import_module(module), name))
    used = {
        each.command
        for each in [*(parts.readers or []), *(parts.writers or []), *(parts.sample_data or []), *(parts.widgets or [])]
    }
    assert used == {command.id for command in parts.commands or []}


def test_each_tab_is_a_widget_and_in_a_menu(manifest: PluginManifest) -> None:
    widgets = {widget.display_name for widget in manifest.contributions.widgets or []}
    assert widgets == {"MedPatch", "Open", "Classify", "Segment", "Paint & learn", "Measure", "Export"}
    menus: dict[str, Any] = manifest.contributions.menus or {}
    assert {f"napari/layers/{name}" for name in ("classify", "segment", "annotate", "measure")} <= set(menus)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("a.svs", "get_slide_reader"),
        ("a.SVS", "get_slide_reader"),
        ("a.ndpi", "get_slide_reader"),
        ("a.dcm", "get_slide_reader"),
        ("a.jpeg", "get_photo_reader"),
        ("a.nii.gz", "get_volume_reader"),
        ("a.NII", "get_volume_reader"),
        ("a.nrrd", "get_volume_reader"),
        ("a.mha", "get_volume_reader"),
        ("a.dcm", "get_volume_reader"),
        ("IM000001", "get_volume_reader"),
    ],
)
def test_file_names_find_their_reader(npe2pm: Any, manifest: PluginManifest, name: str, command: str) -> None:
    npe2pm.register(manifest)
    assert f"napari-medpatch.{command}" in {reader.command for reader in npe2pm.iter_compatible_readers(name)}


def test_text_files_are_not_ours(npe2pm: Any, manifest: PluginManifest) -> None:
    npe2pm.register(manifest)
    assert list(npe2pm.iter_compatible_readers("notes.txt")) == []


@pytest.mark.parametrize(
    ("layer", "name", "command"),
    [
        ("labels", "a.nii.gz", "write_nifti_labels"),
        ("labels", "a.ome.tiff", "write_tiff_labels"),
        ("labels", "a.png", "write_png_labels"),
        ("labels", "a.geojson", "write_outlines"),
        ("image", "a.nii.gz", "write_nifti_values"),
        ("image", "a.ome.tiff", "write_tiff_values"),
    ],
)
def test_file_names_find_their_writer(
    npe2pm: Any, manifest: PluginManifest, layer: str, name: str, command: str
) -> None:
    npe2pm.register(manifest)
    writer, _ = npe2pm.get_writer(name, [layer], "napari-medpatch")
    assert writer is not None
    assert writer.command == f"napari-medpatch.{command}"


def test_preferences_have_defaults_and_descriptions(manifest: PluginManifest) -> None:
    assert manifest.contributions.configurations
    for section in manifest.contributions.configurations.values():
        for key, item in section.properties.items():
            assert item.default is not None, key
            assert item.description, key
