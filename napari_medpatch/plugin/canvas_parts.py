"""What planes draw over their canvas: the shared cursor's lines and the letters of the patient's sides."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.compat import isalive

from napari_medpatch.plugin.links import live_source
from napari_medpatch.plugin.shared_cursor import Place

if TYPE_CHECKING:
    import napari.layers
    from napari.components import ViewerModel
    from napari.qt import QtViewer

PLANES = ("Axial", "Coronal", "Sagittal")
COLOURS = ("#ff6e5e", "#6fdc6f", "#ffd84d")
"""Of the planes across z, y and x; the usual red, green and yellow."""

_OPPOSITE = {"R": "L", "L": "R", "A": "P", "P": "A", "S": "I", "I": "S"}

_SOFTWARE = ("llvmpipe", "softpipe", "swrast", "swiftshader", "gdi generic", "basic render")
_TOP_OF_ALL = 1_000_000


def qt_viewer_of(viewer: "ViewerModel") -> "QtViewer | None":
    """Return the widget that draws a viewer, None without a window."""
    from napari.qt import QtViewer
    from qtpy.QtWidgets import QApplication

    for window in QApplication.topLevelWidgets():
        for widget in (window, *window.findChildren(QtViewer)):
            if isinstance(widget, QtViewer) and widget.viewer is viewer:
                return widget
    return None


def draws_in_software(qt_viewer: "QtViewer") -> bool:
    """Return whether the processor draws instead of a graphics card, as in virtual machines and remote desktops."""
    from vispy.gloo import gl

    qt_viewer.canvas.native.makeCurrent()
    renderer = str(gl.glGetParameter(gl.GL_RENDERER)).lower()
    return any(name in renderer for name in _SOFTWARE)


class PlaneMarks:
    """Two thin lines through the shared cursor, each in the colour of the plane it stands for, and the sides' letters.

    Parameters
    ----------
    qt_viewer : QtViewer
        Draws the plane.
    """

    def __init__(self, qt_viewer: "QtViewer") -> None:
        from vispy.scene.visuals import Line

        self._viewer, self._native = qt_viewer.viewer, qt_viewer.canvas.native
        self.line = Line(
            pos=np.zeros((4, 2)), connect="segments", method="gl", parent=qt_viewer.canvas.view.scene, width=1
        )
        self.line.order = _TOP_OF_ALL
        self.line.set_gl_state("translucent", depth_test=False)

    def point_at(self, place: Place) -> None:
        """Draw the lines through a place, ``z, y, x`` in world units; none in a 3D view."""
        dims = self._viewer.dims
        if not isalive(self._native):
            return  # a window that closes removes its layers when its canvas is gone already
        first = dims.ndim - 3
        self.line.visible = dims.ndisplay == 2 and min(dims.displayed) >= first >= 0 and len(self._viewer.layers) > 0
        if not self.line.visible:
            return
        rows, columns = dims.displayed
        low, high = (np.asarray(end, dtype=float) for end in self._viewer.layers.extent.world)
        y, x = place[rows - first], place[columns - first]
        lines = [[low[columns], y], [high[columns], y], [x, low[rows]], [x, high[rows]]]
        self.line.set_data(pos=np.asarray(lines), color=_line_colours(rows - first, columns - first))

    def letter(self, sides: str) -> None:
        """Write R, L, A, P, S or I at the four edges.

        Parameters
        ----------
        sides : str
            As :func:`sides_of` gives them; empty takes the letters away.
        """
        from napari.components.overlays import TextOverlay

        if not isalive(self._native):
            return
        overlays = self._viewer.canvas.overlays
        for position, letter in _letters(self._viewer, sides).items():
            key = f"medpatch_{position}"
            if key not in overlays:
                if not letter:
                    continue
                overlays[key] = TextOverlay(position=position, color="white", box_color="#00000080", font_size=12)
            overlays[key].text = letter
            overlays[key].visible = bool(letter)

    def remove(self) -> None:
        """Take lines and letters off the canvas."""
        self.letter("")
        self.line.parent = None


@lru_cache
def _line_colours(row_axis: int, column_axis: int) -> "np.ndarray[Any, Any]":
    """Return RGBA of the four ends: the line along a row lies in the plane across the rows' axis."""
    from vispy.color import ColorArray

    axes = (row_axis, row_axis, column_axis, column_axis)
    return ColorArray([COLOURS[axis] for axis in axes], alpha=0.75).rgba


def sides_of(layer: "napari.layers.Layer | None") -> str:
    """Return the patient's sides at the high ends of a volume's axes z, y, x, such as ``"SPL"``; empty if unknown."""
    from napari_medpatch.io.orientation import axis_codes

    grid = getattr(live_source(layer), "grid", None)
    return axis_codes(grid.canonical_affine)[::-1] if grid is not None and grid.known else ""


def is_right_handed(layer: "napari.layers.Layer | None") -> bool | None:
    """Return whether a volume's axes x, y, z are right-handed in the patient; None if unknown."""
    grid = getattr(live_source(layer), "grid", None)
    return bool(np.linalg.det(grid.canonical_affine[:3, :3]) > 0) if grid is not None and grid.known else None


def _letters(viewer: "ViewerModel", sides: str) -> dict[str, str]:
    dims = viewer.dims
    edges = ("top_center", "bottom_center", "middle_left", "middle_right")
    axes = [axis - (dims.ndim - 3) for axis in dims.displayed]
    if not sides or dims.ndisplay != 2 or min(axes) < 0:
        return dict.fromkeys(edges, "")
    down, right = sides[axes[0]], sides[axes[1]]
    vertical, horizontal = viewer.scene.camera.orientation2d
    if vertical == "up":
        down = _OPPOSITE[down]
    if horizontal == "left":
        right = _OPPOSITE[right]
    return dict(zip(edges, (_OPPOSITE[down], down, _OPPOSITE[right], right), strict=True))
