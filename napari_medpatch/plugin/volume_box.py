"""The volume part of the Open tab: window, planes, 3D, and which volume of a 4D file."""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGroupBox, QPushButton, QVBoxLayout, QWidget

from napari_medpatch.io.hu import HU_PRESETS
from napari_medpatch.plugin.current_image import CurrentImage
from napari_medpatch.plugin.form import add_row, button, combo, in_row, new_form
from napari_medpatch.plugin.layers import META
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.planes_dock import close_planes, open_planes, planes_of
from napari_medpatch.plugin.surface_box import SurfaceBox
from napari_medpatch.plugin.window_box import WindowBox

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_medpatch.plugin.planes_dock import PlanesDock


class VolumeBox(QGroupBox):
    """Controls for looking at the current volume.

    Parameters
    ----------
    current : CurrentImage
        Whose volume.

    Signals
    -------
    volume_chosen (int)
        The user wants another volume of a 4D file.
    """

    volume_chosen = Signal(int)

    def __init__(self, current: CurrentImage, parent: QWidget | None = None) -> None:
        super().__init__("Volume", parent)
        self._current, self._viewer = current, current.viewer
        self._equipped: weakref.WeakSet[PlanesDock] = weakref.WeakSet()
        self.window_box = WindowBox(self)
        self.planes_button = _toggle(
            "Three lin&ked planes",
            "Show coronal and sagittal planes too. Click in a plane, or move the mouse with Shift held down, and the "
            "others follow; paint in any of them.",
            self._on_planes,
        )
        self.scene_button = _toggle("&3D view", "Show volume and surfaces in 3D, from the front.", self._on_3d)
        self.surfaces = SurfaceBox(current, self)
        self.volume_combo, self.volume_form = combo(), QWidget()
        form = new_form()
        self.volume_form.setLayout(form)
        add_row(form, "Volume num&ber", self.volume_combo, "File or folder hold several; choose the one to show.")
        self.volume_combo.activated.connect(self.volume_chosen)
        layout = QVBoxLayout(self)
        layout.addWidget(self.window_box)
        layout.addLayout(in_row(self.planes_button, self.scene_button))
        layout.addWidget(self.surfaces)
        layout.addWidget(self.volume_form)
        self._equip(self._viewer)
        listen(self._viewer.dims.events.ndisplay, self._show_3d)
        listen(self._viewer.layers.events.removed, self._show_planes)

    def on_image(self) -> None:
        """Adapt to another image, which may be no volume."""
        layer = self._current.layer if self._current.kind == "volume" else None
        self.window_box.follow(layer)
        facts = layer.metadata.get(META, {}) if layer is not None else {}
        count = facts.get("volumes", 1)
        self.volume_form.setVisible(count > 1)
        self.volume_combo.clear()
        self.volume_combo.addItems(facts.get("volume_names") or [f"{number + 1} of {count}" for number in range(count)])
        self.volume_combo.setCurrentIndex(facts.get("volume_index") or 0)
        self._show_planes()

    def use_preset(self, index: int) -> None:
        """Show the current volume in one of the HU windows, by its place in the list."""
        if self._current.kind == "volume":
            self.window_box.use_preset(list(HU_PRESETS)[index])

    def _on_planes(self, wanted: bool) -> None:
        if not wanted:
            close_planes(self._viewer)
            return
        dock = open_planes(self._viewer)
        if dock not in self._equipped:
            self._equipped.add(dock)
            dock.closed.connect(self._on_planes_closed)
            for view in dock.views:
                self._equip(view.model)

    def _on_planes_closed(self) -> None:
        self.planes_button.setChecked(False)

    def _show_planes(self, _event: Any = None) -> None:
        self.planes_button.setChecked(planes_of(self._viewer) is not None)

    def _on_3d(self, wanted: bool) -> None:
        if wanted:
            self.surfaces.scene.look_from_front()
        else:
            self._viewer.dims.ndisplay = 2

    def _show_3d(self, _event: Any = None) -> None:
        self.scene_button.setChecked(self.surfaces.scene.is_3d)

    def _equip(self, viewer: "ViewerModel") -> None:
        """Give a viewer the mouse drag and the keys of the presets."""
        self.window_box.drag.attach(viewer)
        me = weakref.ref(self)
        for index in range(len(HU_PRESETS)):
            viewer.bind_key(f"Alt-{index + 1}", _preset_key(me, index), overwrite=True)


def _preset_key(box: "weakref.ref[VolumeBox]", index: int) -> "Callable[[ViewerModel], None]":
    """Return what a key of a preset does; napari wants a function with a name."""

    def use_preset(_viewer: "ViewerModel") -> None:
        alive = box()
        if alive is not None and isalive(alive):
            alive.use_preset(index)

    return use_preset


def _toggle(text: str, tip: str, action: Callable[[bool], object]) -> QPushButton:
    """Return a button that stays down; the action is told whether it is."""
    result = button(text, tip, lambda: action(result.isChecked()))
    result.setCheckable(True)
    return result
