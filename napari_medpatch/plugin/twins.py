"""One layer in several viewers: the same array, the same look, one history of strokes."""

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_medpatch.plugin.layers import META, like_source, role_of
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.overlays import QUIET

if TYPE_CHECKING:
    import napari.layers
    from napari.components import ViewerModel

ROLE = "twin"
"""Of layers that only show another one; nobody finds results in them."""

STAND_INS = (ROLE, "3D copy")
"""Roles of layers that stand for another one: they are neither mirrored nor results."""

hidden_in_3d: "weakref.WeakSet[napari.layers.Layer]" = weakref.WeakSet()
"""Layers that are out of sight only in the main viewer's 3D view; their twins stay."""

_PLACE = ("scale", "translate", "rotate", "shear", "affine", "units")
_LOOK = ("name", "visible", "opacity", "blending")
_OF_IMAGES = ("contrast_limits_range", "contrast_limits", "gamma", "colormap", "interpolation2d")
_OF_LABELS = (
    "colormap",
    "contour",
    "show_selected_label",
    "editable",
    "mode",
    "selected_label",
    "brush_size",
    "n_edit_dimensions",
    "contiguous",
    "preserve_labels",
)


def can_have_twins(layer: "napari.layers.Layer") -> bool:
    """Return whether other viewers can show a layer as well: grey volumes and labels with one resolution."""
    from napari.layers import Image, Labels

    if not isinstance(layer, Image | Labels) or layer.ndim != 3 or layer.multiscale or role_of(layer) in STAND_INS:
        return False
    return isinstance(layer, Labels) or not layer.rgb


@dataclass(eq=False, slots=True)
class Member:
    """One of the twins.

    Parameters
    ----------
    viewer : ViewerModel
        Where it is shown.
    layer : napari layer
        What is shown.
    """

    viewer: "ViewerModel"
    layer: "napari.layers.Layer"
    is_stale: bool = False
    is_awaited: bool = False
    seen: Any = None

    def has_moved(self) -> bool:
        """Return whether another slice is shown than last time, which explains why the layer was drawn again."""
        dims = self.viewer.dims
        now = (dims.point, dims.order, dims.ndisplay)
        moved, self.seen = now != self.seen, now
        return moved


class Twins(QObject):
    """Keeps the twins of one layer alike, whichever of them is changed.

    Parameters
    ----------
    viewer : ViewerModel
        The main one.
    layer : Image or Labels
        In the main viewer.

    Signals
    -------
    stale
        Pixels changed; somebody should call :meth:`redraw` soon.
    """

    stale = Signal()

    def __init__(self, viewer: "ViewerModel", layer: "napari.layers.Layer", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.original = layer
        self.members: list[Member] = []
        self._busy = False
        self._join(viewer, layer)

    def add(self, viewer: "ViewerModel", index: int) -> "napari.layers.Layer":
        """Show the layer in one more viewer."""
        twin = _twin_of(self.original)
        share_history(self.original, twin)
        viewer.layers.insert(index, twin)
        self._join(viewer, twin)
        return twin

    def in_viewer(self, viewer: "ViewerModel") -> "napari.layers.Layer":
        """Return the twin in a viewer."""
        return next(member.layer for member in self.members if member.viewer is viewer)

    def leave(self) -> None:
        """Take the twins out of their viewers; the original stays."""
        for member in self.members[1:]:
            if member.layer in member.viewer.layers:
                member.viewer.layers.remove(member.layer)
        del self.members[1:]

    def redraw(self, hidden: "list[ViewerModel]") -> None:
        """Draw what changed, except in viewers that nobody sees now."""
        for member in self.members:
            if member.is_stale and member.viewer not in hidden:
                member.is_stale = False
                # Drawing tells that the layer was drawn, at once or (asynchronous slicing) later.
                member.is_awaited = True
                member.layer.refresh(**QUIET)
                member.is_awaited = member.layer.visible and not member.layer.loaded

    def _join(self, viewer: "ViewerModel", layer: "napari.layers.Layer") -> None:
        member = Member(viewer, layer)
        member.has_moved()
        self.members.append(member)
        for name in (*_PLACE, *_look_of(layer)):
            listen(getattr(layer.events, name), self._on_look)
        listen(layer.events.set_data, self._on_drawn)
        if hasattr(layer.events, "paint"):
            listen(layer.events.paint, self._on_painted)
            listen(layer.events.labels_update, self._on_painting)

    def _on_look(self, event: Any) -> None:
        if self._busy or (event.type == "visible" and event.source in hidden_in_3d):
            return
        self._busy = True
        try:
            for member in self.members:
                if member.layer is not event.source:
                    setattr(member.layer, event.type, getattr(event.source, event.type))
        finally:
            self._busy = False

    def _on_drawn(self, event: Any) -> None:
        """Tell a layer that was drawn because its pixels changed from one that shows another slice."""
        member = self._member(event.source)
        if member is None or self._busy:
            return
        moved, awaited = member.has_moved(), member.is_awaited
        member.is_awaited = False
        if member.layer is self.original:
            self._follow_data()
        if not moved and not awaited:
            self._mark(member)

    def _on_painting(self, event: Any) -> None:
        member = self._member(event.source)
        if member is not None:
            self._mark(member, spare_3d=True)

    def _on_painted(self, event: Any) -> None:
        """Tell those who watch the original of a stroke on one of its twins: autosave, proposals."""
        member = self._member(event.source)
        if member is None or self._busy:
            return
        self._mark(member)
        if member.layer is not self.original:
            self._busy = True
            try:
                self.original.events.paint(value=event.value)
            finally:
                self._busy = False

    def _follow_data(self) -> None:
        """Let the twins show the array that the original shows now."""
        for member in self.members[1:]:
            if member.layer.data is not self.original.data:
                member.is_awaited = True
                member.layer.data = self.original.data
                share_history(self.original, member.layer)

    def _member(self, layer: "napari.layers.Layer") -> Member | None:
        return next((member for member in self.members if member.layer is layer), None)

    def _mark(self, changed: Member, *, spare_3d: bool = False) -> None:
        """Note who must be drawn; a 3D view waits for the end of a stroke."""
        for member in self.members:
            if member is not changed and not (spare_3d and member.viewer.dims.ndisplay == 3):
                member.is_stale = True
        self.stale.emit()


def share_history(original: "napari.layers.Layer", twin: "napari.layers.Layer") -> None:
    """Let two labels layers on the same array undo each other's strokes, in the order they were painted.

    With a history of its own, each would bring back pixels from before the other's later strokes. napari
    has no public way to say this; without the two lists each layer undoes its own strokes.
    """
    for name in ("_undo_history", "_redo_history"):
        if hasattr(original, name) and hasattr(twin, name):
            setattr(twin, name, getattr(original, name))


def _look_of(layer: "napari.layers.Layer") -> tuple[str, ...]:
    from napari.layers import Labels

    return _LOOK + (_OF_LABELS if isinstance(layer, Labels) else _OF_IMAGES)


def _twin_of(layer: "napari.layers.Layer") -> "napari.layers.Layer":
    from napari.layers import Image, Labels

    facts = {"metadata": {META: {"role": ROLE}}, **like_source(layer)}
    if isinstance(layer, Labels):
        twin = Labels(layer.data, colormap=layer.colormap, **facts)
    else:
        twin = Image(layer.data, contrast_limits=layer.contrast_limits, **facts)
    for name in _look_of(layer):
        setattr(twin, name, getattr(layer, name))
    return twin
