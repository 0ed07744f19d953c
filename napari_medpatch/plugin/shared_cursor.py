"""One place in a volume, shown by several planes: each moves the others."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_medpatch.plugin.listen import listen

if TYPE_CHECKING:
    from napari.components import ViewerModel

Place = tuple[float, float, float]


def normal_axis(viewer: "ViewerModel") -> int | None:
    """Return which axis a plane is a slice of: 0 axial, 1 coronal, 2 sagittal; None in a 3D view."""
    dims = viewer.dims
    if dims.ndisplay != 2 or dims.ndim < 3:
        return None
    axis = dims.order[-3] - (dims.ndim - 3)
    return axis if axis >= 0 else None


class SharedCursor(QObject):
    """Follows the slices of several viewers, and moves them.

    Parameters
    ----------
    viewers : sequence of ViewerModel
        Each shows slices along one of the last three axes.

    Signals
    -------
    moved
        To another place.
    turned
        A viewer shows another axis, or 3D.
    """

    moved = Signal()
    turned = Signal()

    def __init__(self, viewers: "Sequence[ViewerModel]", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewers = list(viewers)
        self._is_moving = False
        point = self._viewers[0].dims.point
        self._place = [float(value) for value in point[-3:]] if len(point) >= 3 else [0.0, 0.0, 0.0]
        for viewer in self._viewers:
            listen(viewer.dims.events.point, self._on_point)
            for emitter in (viewer.dims.events.order, viewer.dims.events.ndisplay):
                listen(emitter, self._on_turned)
        self.go_to(self.place)

    @property
    def place(self) -> Place:
        """Where it is, in world units, ``z, y, x``."""
        return self._place[0], self._place[1], self._place[2]

    def go_to(self, place: Sequence[float]) -> None:
        """Move all planes so that they cut this place; positions outside the volume go to its edge."""
        self._is_moving = True
        try:
            for viewer in self._viewers:
                axis = normal_axis(viewer)
                if axis is not None:
                    viewer.dims.set_point(viewer.dims.ndim - 3 + axis, float(place[-3:][axis]))
        finally:
            self._is_moving = False
        self._follow(self._viewers)

    def _on_point(self, event: Any) -> None:
        if not self._is_moving:
            self._follow([viewer for viewer in self._viewers if viewer.dims is event.source])

    def _on_turned(self, event: Any) -> None:
        self._on_point(event)
        self.turned.emit()

    def _follow(self, viewers: "Sequence[ViewerModel]") -> None:
        for viewer in viewers:
            axis = normal_axis(viewer)
            if axis is not None:
                self._place[axis] = float(viewer.dims.point[-3:][axis])
        self.moved.emit()
