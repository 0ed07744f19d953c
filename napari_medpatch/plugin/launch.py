"""Starting napari with MedPatch: ``napari-medpatch open`` and ``napari-medpatch demo``."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import napari

    from napari_medpatch.plugin.panel import MedPatchPanel


def launch(
    paths: Sequence[str | os.PathLike[str]],
    mpp: float | tuple[float, float] | None = None,
    volume_index: int | None = None,
) -> None:
    """Open napari with one layer per file and the panel; returns when the window is closed.

    Parameters
    ----------
    paths, mpp, volume_index
        As :func:`napari_medpatch.plugin.open.open_paths`.
    """
    import napari
    from qtpy.QtCore import QTimer

    from napari_medpatch.plugin.warm_up import warm_up

    warm_up()  # before there is a window that would stand still meanwhile
    viewer = napari.Viewer()
    opener = add_panel(viewer).open_tab.opener
    # Once the event loop runs, so that the user can be asked which series or volume is meant.
    QTimer.singleShot(0, lambda: opener.open(paths, mpp=mpp, volume_index=volume_index))
    napari.run()


def launch_demo(folder: Path) -> None:
    """Open napari on what ``napari-medpatch demo`` wrote; returns when the window is closed."""
    import napari

    from napari_medpatch.plugin.demo_window import show_results

    viewer = napari.Viewer()
    add_panel(viewer)
    show_results(viewer, Path(folder))
    napari.run()


def add_panel(viewer: "napari.Viewer") -> "MedPatchPanel":
    """Dock the panel at the right."""
    from napari_medpatch.plugin.panel import MedPatchPanel

    panel = MedPatchPanel(viewer)
    viewer.window.add_dock_widget(panel, name="MedPatch", area="right")
    return panel
