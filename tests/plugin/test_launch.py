"""Starting the window from the command line, and the guard around torch."""

import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from napari_medpatch.plugin import launch as launching
from napari_medpatch.plugin import triton_guard
from napari_medpatch.plugin.demo_window import show_results
from napari_medpatch.plugin.layers import role_of
from napari_medpatch.plugin.samples import sample_file


@pytest.fixture
def started(viewer: Any, monkeypatch: pytest.MonkeyPatch, qtbot: Any) -> Any:
    """The test's own window, and an event loop that ends at once."""
    monkeypatch.setattr("napari.Viewer", lambda *_, **__: viewer)
    monkeypatch.setattr("napari.run", lambda: qtbot.wait(300))
    return viewer


def test_open_shows_every_file_and_says_why_one_is_not(started: Any, tmp_path: Path, said: list[str]) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6, 2), np.int16), np.eye(4)), tmp_path / "two.nii")
    (tmp_path / "bad.svs").write_text("not a slide")
    launching.launch([tmp_path / "bad.svs", tmp_path / "two.nii"], volume_index=1)
    assert [layer.name for layer in started.layers] == ["two.nii"]
    assert started.layers[0].metadata["medpatch"]["volume_index"] == 1
    assert len([sentence for sentence in said if "bad.svs" in sentence]) == 1
    assert "MedPatch" in started.window.dock_widgets


def test_demo_opens_with_the_masks_that_it_wrote(viewer: Any, tmp_path: Path) -> None:
    ct = nibabel.load(sample_file("thorax"))
    mask = np.zeros(ct.shape, np.uint8)
    mask[5, 6, 7] = 1
    nibabel.save(nibabel.Nifti1Image(mask, ct.affine), tmp_path / "thorax_lungs.nii.gz")
    show_results(viewer, tmp_path)
    assert [role_of(layer) for layer in viewer.layers] == ["", "mask"]
    assert viewer.layers[1].data.sum() == 1
    assert viewer.layers[1].data.shape == viewer.layers[0].data.shape


@pytest.mark.parametrize(
    ("libraries", "kept_out"),
    [("/usr/lib/libLLVM-15.so.1", True), ("/usr/lib/dri/iris_dri.so", True), ("/usr/lib/libnvidia-glcore.so", False)],
)
def test_triton_is_kept_out_beside_mesa_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, libraries: str, kept_out: bool
) -> None:
    (tmp_path / "maps").write_text(f"7f00-7f01 r-xp 0 08:01 1 {libraries}\n")
    assert triton_guard.draws_through_mesa(tmp_path / "maps") is kept_out
    monkeypatch.setattr(triton_guard, "draws_through_mesa", lambda: kept_out)
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    triton_guard.keep_triton_out()
    assert ("triton" in sys.modules) is kept_out
    monkeypatch.setitem(sys.modules, "triton", "loaded")
    triton_guard.keep_triton_out()
    assert sys.modules["triton"] == "loaded"


def test_a_system_without_proc_has_no_mesa(tmp_path: Path) -> None:
    assert triton_guard.draws_through_mesa(tmp_path / "absent") is False
