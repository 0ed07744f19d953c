"""A light above the viewer's head for surfaces."""

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject

from napari_medpatch.plugin.canvas_parts import qt_viewer_of
from napari_medpatch.plugin.layers import role_of
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.surface_layers import ROLE

if TYPE_CHECKING:
    import napari


class Headlight(QObject):
    """Lights surfaces from where one looks; napari lights them from behind when its depth axis is turned.

    Parameters
    ----------
    viewer : napari.Viewer
        Shows surfaces.
    """

    def __init__(self, viewer: "napari.Viewer", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        # After napari, which sets its own light at the same events.
        listen(viewer.scene.camera.events.view_direction, self.shine)
        listen(viewer.dims.events.ndisplay, self.shine)

    def shine(self, _event: Any = None) -> None:
        """Point the light at what the camera looks at."""
        camera = self._viewer.scene.camera
        if self._viewer.dims.ndisplay != 3 or str(camera.handedness) == "right":
            return
        canvas = qt_viewer_of(self._viewer)
        if canvas is None:
            return
        # vispy's order is x, y, z; the light falls from above the right shoulder.
        view, up = (
            np.asarray(direction[::-1], dtype=float) for direction in (camera.view_direction, camera.up_direction)
        )
        light = view - 0.5 * up - 0.3 * np.cross(view, up)
        for layer, visual in canvas.layer_to_visual.items():
            shading = getattr(visual.node, "shading_filter", None)
            if role_of(layer) == ROLE and shading is not None:
                shading.light_dir = light
                visual.node.update()
