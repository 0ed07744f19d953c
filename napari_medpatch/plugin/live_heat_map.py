"""The heat maps of a classification, filled patch by patch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.events import Event, PatchesScored, Started
from napari_medpatch.plugin.layers import like_source, provenance
from napari_medpatch.plugin.overlays import ResultLayers

if TYPE_CHECKING:
    import napari
    import napari.layers


class LiveHeatMap(ResultLayers):
    """One heat map per class on the patch grid.

    Parameters
    ----------
    viewer, image
        As :class:`ResultLayers`.
    model : str
        For names and provenance.
    """

    def __init__(self, viewer: "napari.Viewer", image: "napari.layers.Image", model: str) -> None:
        super().__init__(viewer, image, "Classification")
        self.model = model
        self.class_names: tuple[str, ...] = ()
        self.values: np.ndarray[Any, Any] | None = None

    def on_events(self, events: Sequence[Event]) -> None:
        """Take patches in."""
        if not self.image_is_there:
            return
        for event in events:
            if isinstance(event, Started):
                self._begin(event.context["grid"], tuple(event.context["class_names"]))
            elif isinstance(event, PatchesScored) and self.values is not None:
                self.values[:, event.cells[:, 0], event.cells[:, 1]] = event.probabilities.T
        self.redraw()

    def on_result(self, result: Any) -> None:
        """Take the final map in and keep the result for the Export tab."""
        if not self.image_is_there or self.values is None:
            return
        self.values[...] = np.moveaxis(result.probabilities, -1, 0)
        for layer in self.layers:
            layer.metadata["medpatch_result"] = result
        self.settle()

    def show_class(self, index: int) -> None:
        """Show one class and hide the others."""
        for layer in self.layers:
            layer.visible = layer.metadata["medpatch"]["class_index"] == index

    def _begin(self, grid: Any, names: tuple[str, ...]) -> None:
        from napari.layers import Image

        self.class_names = names
        # Class first, so that each layer's array is one contiguous piece of memory.
        self.values = np.full((len(names), grid.rows, grid.cols), np.nan, np.float32)
        place = like_source(self.image, grid.transform(None))
        for index, name in enumerate(names):
            facts = {"model": self.model, "class_names": list(names), "class_index": index}
            self.add(
                Image(
                    self.values[index],
                    name=f"{self.image.name} {self.model} p({name})",
                    colormap="viridis",
                    contrast_limits=(0, 1),
                    opacity=0.6,
                    blending="translucent",
                    visible=index == len(names) - 1,
                    interpolation2d="nearest",
                    metadata=provenance(self.image, "heat map", **facts),
                    **place,
                )
            )
