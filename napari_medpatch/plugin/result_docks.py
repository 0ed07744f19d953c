"""Open the gallery and the inspector of a heat map, one of each per window."""

from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtWidgets import QDockWidget, QWidget

from napari_medpatch.plugin.links import bare

if TYPE_CHECKING:
    import napari
    import napari.layers

    from napari_medpatch.plugin.gallery_dock import GalleryDock
    from napari_medpatch.plugin.patch_inspector import PatchInspector

INSPECTOR, GALLERY = "Patch inspector", "Patch gallery"


def open_inspector(viewer: "napari.Viewer", heat_layer: "napari.layers.Layer") -> "PatchInspector":
    """Show the inspector and let it follow a heat map layer."""
    from napari_medpatch.plugin.patch_inspector import PatchInspector

    window = bare(viewer)
    inspector = _shown(window, INSPECTOR) or _docked(window, PatchInspector(window), INSPECTOR)
    inspector.follow(heat_layer)
    return inspector


def open_gallery(viewer: "napari.Viewer", heat_layer: "napari.layers.Layer") -> "GalleryDock":
    """Show the gallery of a heat map layer; a patch that is chosen in it is selected in the inspector."""
    from napari_medpatch.plugin.gallery_dock import GalleryDock

    window = bare(viewer)
    gallery = _shown(window, GALLERY)
    if gallery is None:
        gallery = _docked(window, GalleryDock(window), GALLERY)
        gallery.chosen.connect(lambda layer, cell: _select(window, gallery, layer, cell))
    gallery.follow(heat_layer)
    return gallery


def _select(viewer: "napari.Viewer", gallery: QWidget, layer: "napari.layers.Layer", cell: Any) -> None:
    """Select a patch in the inspector, leaving the gallery in front: the next patch is chosen there."""
    inspector = open_inspector(viewer, layer)
    inspector.select(cell)
    dock = _dock_of(gallery)
    if dock is not None:
        dock.raise_()


def _shown(viewer: "napari.Viewer", name: str) -> Any:
    """Return a dock's widget if there is one, and bring it to the front."""
    widget = viewer.window.dock_widgets.get(name)
    if widget is None or not isalive(widget):
        return None
    dock = _dock_of(widget)
    if dock is not None:
        dock.show()
        dock.raise_()
    return widget


def _docked(viewer: "napari.Viewer", widget: QWidget, name: str) -> Any:
    """Put a widget into a dock of its own at the left, where it leaves the panel in sight."""
    viewer.window.add_dock_widget(widget, name=name, area="left", tabify=True)
    dock = _dock_of(widget)
    if dock is not None:
        dock.raise_()
    return widget


def _dock_of(widget: QWidget) -> QDockWidget | None:
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent
