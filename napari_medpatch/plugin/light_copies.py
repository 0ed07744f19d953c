"""Coarser copies of volumes that are too large for a 3D texture."""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_medpatch.events import Finished, Job, Started
from napari_medpatch.geometry import derived_grid
from napari_medpatch.plugin.canvas_parts import draws_in_software, qt_viewer_of
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.layers import like_source, provenance
from napari_medpatch.plugin.links import belongs_to, image_of
from napari_medpatch.plugin.settings import preference

if TYPE_CHECKING:
    import napari
    import napari.layers

ROLE = "3D copy"
_SOFTWARE_VOXELS = 2e6
"""A processor that stands in for the graphics card needs many seconds for each frame of a larger volume."""

_ALIKE_IMAGES = ("opacity", "blending", "colormap", "gamma", "contrast_limits", "rendering", "attenuation")
_ALIKE_LABELS = ("opacity", "blending", "colormap")


@dataclass(frozen=True, slots=True)
class _Coarse:
    """A coarser array and what it was made of; the original is held weakly."""

    layer: Any
    values: "np.ndarray[Any, Any]"
    steps: tuple[int, ...]
    of: Any


class LightCopies(QObject):
    """Makes coarser copies one after the other in a worker and shows them while they are wanted.

    Parameters
    ----------
    viewer : napari.Viewer
        Where they are shown.

    Signals
    -------
    said (str)
        What is going on; empty when nothing is.
    """

    said = Signal(str)

    def __init__(self, viewer: "napari.Viewer", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._in_software: bool | None = None
        self.shown: dict[napari.layers.Layer, napari.layers.Layer] = {}
        self._queue: list[napari.layers.Layer] = []
        self._kept: weakref.WeakKeyDictionary[Any, _Coarse] = weakref.WeakKeyDictionary()
        self.runner = JobRunner(self)
        self.runner.finished.connect(self._on_made)
        self.runner.idle.connect(self._next)

    @property
    def in_software(self) -> bool:
        """Whether the processor draws, which makes large scenes slow."""
        canvas = qt_viewer_of(self._viewer)
        if self._in_software is None and canvas is not None:
            self._in_software = draws_in_software(canvas)
        return bool(self._in_software)

    def steps(self, layer: "napari.layers.Layer") -> tuple[int, ...]:
        """Return how many voxels of a layer a cell of its copy takes in along each axis; ones if it needs none."""
        from napari_medpatch.io.coarse import coarse_steps

        # napari keeps labels as bytes, images as 32-bit floats on the graphics card.
        bytes_per_voxel = np.dtype(layer.dtype).itemsize if _is_labels(layer) else 4
        voxels, side = int(preference("volumes", "texture_mb")) * 1e6 / bytes_per_voxel, np.inf
        canvas = qt_viewer_of(self._viewer)
        if canvas is not None:
            voxels = min(voxels, _SOFTWARE_VOXELS) if self.in_software else voxels
            side = float(canvas.canvas.max_texture_sizes[1] or np.inf)
        return coarse_steps(layer.data.shape, np.abs(layer.scale), voxels, side)

    def want(self, layer: "napari.layers.Layer") -> None:
        """Show a copy of a layer as soon as there is one."""
        kept = self._kept.get(layer)
        if kept is not None and kept.of() is layer.data and kept.steps == self.steps(layer):
            self._show(layer, kept)
        elif layer not in self._queue:
            self._queue.append(layer)
            self._next()

    def clear(self) -> None:
        """Take all copies away; those of images are kept for the next time."""
        self._queue.clear()
        self.runner.stop()
        for layer in list(self.shown):
            self.drop(layer)
        self.said.emit("")

    def drop(self, layer: "napari.layers.Layer") -> None:
        """Take the copy of one layer away."""
        from napari.experimental import unlink_layers

        if layer in self._queue:
            self._queue.remove(layer)
        copy = self.shown.pop(layer, None)
        if copy is not None:
            unlink_layers([copy])
            if copy in self._viewer.layers:
                self._viewer.layers.remove(copy)

    def _next(self) -> None:
        if self.runner.is_running:
            return
        if not self._queue:
            self.said.emit("")
            return
        layer = self._queue[0]
        data, steps = layer.data, self.steps(layer)
        self.said.emit(f"{layer.name} is too large for the graphics card; making a coarser copy for the 3D view…")
        rule = "max" if _is_labels(layer) else "mean"
        maker = weakref.ref(layer)
        self.runner.start(lambda: _coarsening(maker, data, steps, rule))

    def _on_made(self, made: _Coarse) -> None:
        layer = made.layer()
        if layer is None or layer not in self._queue:
            return
        self._queue.remove(layer)
        if not _is_labels(layer):
            self._kept[layer] = made
        if layer in self._viewer.layers:
            self._show(layer, made)

    def _show(self, layer: "napari.layers.Layer", made: _Coarse) -> None:
        from napari.experimental import link_layers

        self.drop(layer)
        copy = _copy_of(layer, made)
        belongs_to(copy, image_of(layer) or layer)  # type: ignore[arg-type]
        layers = self._viewer.layers
        selected = list(layers.selection)
        layers.insert(layers.index(layer) + 1, copy)
        layers.selection = selected
        link_layers([layer, copy], _ALIKE_LABELS if _is_labels(layer) else _ALIKE_IMAGES)
        self.shown[layer] = copy


def _coarsening(layer: Any, data: "np.ndarray[Any, Any]", steps: Sequence[int], rule: Any) -> Job:
    """Make a coarser copy, as a job."""
    from napari_medpatch.evaluate.progress import working
    from napari_medpatch.io.coarse import coarse_volume

    yield Started(1, "copies")
    values = yield from working(coarse_volume(data, steps, rule))
    yield Finished(_Coarse(layer, values, tuple(steps), weakref.ref(data)))


def _copy_of(layer: "napari.layers.Layer", made: _Coarse) -> "napari.layers.Layer":
    from napari.layers import Image, Labels

    facts: dict[str, Any] = {
        "name": f"{layer.name} (coarser, for 3D)",
        "metadata": provenance(layer, ROLE, downsample=list(made.steps)),
        **like_source(layer, derived_grid(made.steps, (1.0,) * 3)),
    }
    if isinstance(layer, Labels):
        copy = Labels(made.values, colormap=layer.colormap, **facts)
        copy.editable = False
    else:
        copy = Image(made.values, contrast_limits=layer.contrast_limits, **facts)
    for name in _ALIKE_LABELS if isinstance(layer, Labels) else _ALIKE_IMAGES:
        setattr(copy, name, getattr(layer, name))
    return copy


def _is_labels(layer: "napari.layers.Layer") -> bool:
    from napari.layers import Labels

    return isinstance(layer, Labels)
