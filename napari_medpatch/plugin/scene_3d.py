"""What stands back while the main viewer shows 3D: volumes that the graphics card cannot hold or surfaces replace."""

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_medpatch.plugin.canvas_parts import is_right_handed
from napari_medpatch.plugin.headlight import Headlight
from napari_medpatch.plugin.layers import role_of
from napari_medpatch.plugin.light_copies import LightCopies
from napari_medpatch.plugin.links import image_of, kind_of
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.surface_layers import ROLE as SURFACE
from napari_medpatch.plugin.surface_layers import surfaces_of
from napari_medpatch.plugin.twins import can_have_twins, hidden_in_3d

if TYPE_CHECKING:
    import napari
    import napari.layers

_HANDS = {True: "left", False: "right", None: ""}
"""What napari calls the frame z, y, x of a volume whose x, y, z is right-handed, mirrored, or unknown."""


class Scene3D(QObject):
    """Follows napari's own switch between 2D and 3D.

    In 3D a large volume is shown by a coarser copy, and volumes that have surfaces are hidden behind them; in
    2D everything is as before, and surfaces are hidden.

    Parameters
    ----------
    viewer : napari.Viewer
        The main one.
    """

    def __init__(self, viewer: "napari.Viewer", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.copies = LightCopies(viewer, self)
        self.light = Headlight(viewer, self)
        self._away: set[napari.layers.Layer] = set()
        self._watched: weakref.WeakSet[Any] = weakref.WeakSet()
        # First: napari would hand the full volume to the graphics card, which can end the process. Leaving, last: a
        # layer that is shown again must not draw what it held in 3D.
        listen(viewer.dims.events.ndisplay, self._on_enter, first=True)
        listen(viewer.dims.events.ndisplay, self._on_leave)
        listen(viewer.layers.events.inserted, self._on_inserted, first=True)
        listen(viewer.layers.events.removed, self._on_removed)
        self._orientation: Any = None
        if self.is_3d:
            self._on_enter()

    @property
    def is_3d(self) -> bool:
        """Whether the viewer shows 3D."""
        return int(self._viewer.dims.ndisplay) == 3

    def look_from_front(self) -> None:
        """Show 3D as one stands before the patient: head on top, the patient's left at the right."""
        self._viewer.dims.ndisplay = 3
        self._viewer.fit_to_view()
        self._viewer.scene.camera.set_view_direction((0, 1, 0), up_direction=(1, 0, 0))
        self.light.shine()

    def make_way(self) -> None:
        """Hide what surfaces that were just added stand for."""
        if self.is_3d:
            self._on_enter()
            self.light.shine()

    def _on_enter(self, _event: Any = None) -> None:
        if not self.is_3d:
            return
        self._unmirror()
        for layer in list(self._viewer.layers):
            if role_of(layer) == SURFACE:
                layer.visible = True
            elif layer.visible:
                self._consider(layer)

    def _on_leave(self, _event: Any = None) -> None:
        if self.is_3d:
            return
        self.copies.clear()
        for layer in self._viewer.layers:
            if role_of(layer) == SURFACE:
                layer.visible = False
        for layer in list(self._away):
            self._bring_back(layer)
        if self._orientation is not None:
            self._viewer.scene.camera.orientation = self._orientation
            self._orientation = None

    def _unmirror(self) -> None:
        """Show left and right as they are: napari takes z, y, x for a right-handed frame, but x, y, z is one."""
        volume = next((layer for layer in reversed(self._viewer.layers) if kind_of(layer) == "volume"), None)
        camera = self._viewer.scene.camera
        wanted = _HANDS[is_right_handed(volume)]
        if wanted and str(camera.handedness) != wanted:
            self._orientation = camera.orientation
            depth, *plane = (str(side) for side in camera.orientation)
            camera.orientation = ("away" if depth == "towards" else "towards", *plane)

    def _on_inserted(self, event: Any) -> None:
        if self.is_3d and event.value.visible:
            self._consider(event.value)

    def _on_removed(self, event: Any) -> None:
        self.copies.drop(event.value)
        self._away.discard(event.value)
        hidden_in_3d.discard(event.value)

    def _consider(self, layer: "napari.layers.Layer") -> None:
        if not can_have_twins(layer):
            return
        if self._has_surfaces(layer):
            self._send_away(layer)
        elif self._is_too_large(layer):
            self._send_away(layer)
            self.copies.want(layer)

    def _is_too_large(self, layer: "napari.layers.Layer") -> bool:
        return max(self.copies.steps(layer)) > 1

    def _has_surfaces(self, layer: "napari.layers.Layer") -> bool:
        """Return whether there are surfaces of a layer or on its image, which blocks of other masks would hide."""
        if surfaces_of(self._viewer, layer):
            return True
        image = image_of(layer)
        return image is not None and any(
            role_of(other) == SURFACE and image_of(other) is image for other in self._viewer.layers
        )

    def _send_away(self, layer: "napari.layers.Layer") -> None:
        self._away.add(layer)
        hidden_in_3d.add(layer)
        if layer not in self._watched:
            self._watched.add(layer)
            listen(layer.events.visible, self._on_visible)
        layer.visible = False

    def _bring_back(self, layer: "napari.layers.Layer") -> None:
        self._away.discard(layer)
        layer.visible = True
        hidden_in_3d.discard(layer)

    def _on_visible(self, event: Any) -> None:
        """Show the copy of a volume that the user asks for, or the volume itself if it is small enough."""
        layer = event.source
        if layer not in self._away or not layer.visible or not self.is_3d:
            return
        if not self._is_too_large(layer):
            self._away.discard(layer)
            hidden_in_3d.discard(layer)
            return
        layer.visible = False
        if layer in self.copies.shown:
            self.copies.drop(layer)
        else:
            self.copies.want(layer)
