"""Draw the pictures of docs/volumes.md about looking again: ``scripts/screenshots_volumes.py docs/images``."""

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import napari

    from napari_medpatch.plugin.panel import MedPatchPanel

_SIZE = (1500, 950)
_CLASSES = ("lung", "heart", "airway", "vessel", "nodule")
_CLASS_OF = np.array([0, 0, 1, 1, 3, 2, 4, 5], np.uint8)


def main() -> None:
    """Write the pictures into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--theme", choices=["dark", "light"], default="dark")
    arguments = parser.parse_args()
    for path in take_volume_screenshots(arguments.folder, theme=arguments.theme):
        print(path)


def take_volume_screenshots(folder: str | os.PathLike[str], *, theme: str = "dark") -> list[Path]:
    """Open the sample CT with its truth, link three planes, then show the surfaces.

    Parameters
    ----------
    folder : path-like
        Where ``volumes-planes.png`` and ``volumes-3d.png`` go.
    theme : str
        ``"dark"`` or ``"light"``.

    Returns
    -------
    list of Path
        The pictures.
    """
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["NAPARI_CONFIG"] = str(Path(scratch) / "settings.yaml")
        import napari

        viewer = napari.Viewer(show_welcome_screen=False)
        viewer.theme = theme
        viewer.window.resize(*_SIZE)
        try:
            return _tour(viewer, Path(folder).resolve())
        finally:
            viewer.close()


def _tour(viewer: "napari.Viewer", folder: Path) -> list[Path]:
    from napari_medpatch.plugin.launch import add_panel

    panel = add_panel(viewer)
    _open_sample(viewer, panel)
    _spin(6.0)  # napari's first messages go
    box = panel.open_tab.volume_box
    box.window_box.use_preset("mediastinum")
    box.planes_button.click()
    _spin(1.0)
    _paint_coronally(viewer)
    planes = _picture(viewer, folder / "volumes-planes.png")
    box.planes_button.click()
    viewer.layers.remove("strokes")
    box.surfaces.row.run_button.click()
    while box.surfaces.is_busy:
        _spin(0.1)
    lungs = viewer.layers["mask lung surface"]
    lungs.opacity, lungs.blending = 0.35, "translucent_no_depth"  # what lies inside is seen
    viewer.layers.selection.active = viewer.layers["mask"]
    return [planes, _picture(viewer, folder / "volumes-3d.png")]


def _open_sample(viewer: "napari.Viewer", panel: "MedPatchPanel") -> None:
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    from napari_medpatch.io.labels_file import read_labels
    from napari_medpatch.plugin.layers import like_source, mask_colours, provenance
    from napari_medpatch.plugin.links import belongs_to
    from napari_medpatch.plugin.open import open_paths
    from napari_medpatch.plugin.samples import sample_file
    from napari_medpatch.samples import sample_path

    (image,) = open_paths(viewer, [sample_file("thorax")])
    # The truth also has the body, and each lung by itself.
    truth = _CLASS_OF[read_labels(sample_path("thorax_truth"), panel.current.live)]
    count = len(_CLASSES)
    mask = Labels(
        truth,
        name="mask",
        opacity=0.5,
        colormap=DirectLabelColormap(color_dict=mask_colours(count)),
        metadata=provenance(image, "mask", class_names=list(_CLASSES)),
        **like_source(image),
    )
    belongs_to(mask, image)
    viewer.add_layer(mask)


def _paint_coronally(viewer: "napari.Viewer") -> None:
    """Paint a stroke in the coronal plane, as with the mouse, and leave the cursor on it."""
    from napari.layers import Labels

    from napari_medpatch.plugin.layers import like_source
    from napari_medpatch.plugin.planes_dock import planes_of

    image, dock = viewer.layers[0], planes_of(viewer)
    strokes = viewer.add_layer(Labels(np.zeros(image.data.shape, np.uint8), name="strokes", **like_source(image)))
    z, y, x = (n // 2 for n in image.data.shape)
    dock.cursor.go_to(image.data_to_world((z, y, x)))
    strokes.mode, strokes.selected_label, strokes.brush_size = "paint", 2, max(3, x // 12)
    twin = dock.mirror.twin(strokes, dock.views[0].model)
    for step in range(16):
        twin.paint((z + step * z // 40, y, x + step), 2)
    strokes.mode = "pan_zoom"


def _picture(viewer: "napari.Viewer", path: Path) -> Path:
    _spin(1.5)
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    return path


def _spin(seconds: float) -> None:
    """Let the window work for a while."""
    import time

    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


if __name__ == "__main__":
    main()
