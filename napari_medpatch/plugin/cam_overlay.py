"""The stitched Grad-CAM of a region as a layer that fills while its job runs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.events import Event, Started
from napari_medpatch.plugin.heat_colours import heat_colours
from napari_medpatch.plugin.layers import like_source, provenance
from napari_medpatch.plugin.overlays import ResultLayers

if TYPE_CHECKING:
    import napari
    import napari.layers

EXPLAINED = "medpatch_explained"
"""Key of the result in ``layer.metadata``, for the Export tab."""

_PERCENTILE = 99.5


class CamOverlay(ResultLayers):
    """One layer per stitched region.

    Parameters
    ----------
    viewer, image
        As :class:`ResultLayers`.
    model : str
        For names and provenance.
    below : napari layer, optional
        The frame around the selected patch, which stays on top.
    """

    def __init__(
        self,
        viewer: "napari.Viewer",
        image: "napari.layers.Image",
        model: str,
        below: "napari.layers.Layer | None" = None,
    ) -> None:
        super().__init__(viewer, image, "Grad-CAM")
        self.model, self._below = model, below
        self._heat: np.ndarray[Any, Any] | None = None

    def on_events(self, events: Sequence[Event]) -> None:
        """Draw what was blended; the scale follows the values until the job ends."""
        if not self.image_is_there:
            return
        for event in events:
            if isinstance(event, Started):
                self._begin(event)
        if self._heat is None:
            return
        known = self._heat[::4, ::4]
        known = known[np.isfinite(known)]
        top = float(np.percentile(known, _PERCENTILE)) if known.size else 0.0
        if top > 0:
            self.layers[0].contrast_limits_range = (0, top)
            self.layers[0].contrast_limits = (0, top)
        self.redraw()

    def on_result(self, result: Any) -> None:
        """Show the final map, 0…1."""
        if not self.image_is_there or not self.layers:
            return
        layer = self.layers[0]
        layer.data = result.heat
        layer.contrast_limits_range = layer.contrast_limits = (0, 1)
        layer.metadata["medpatch"]["provenance"] = dict(result.provenance)
        layer.metadata[EXPLAINED] = result
        self.settle()

    def _begin(self, event: Started) -> None:
        from napari.layers import Image

        context = event.context
        self._heat = context["heat"]
        facts = {
            "model": self.model, "class_names": [context["class_name"]], "class_index": context["class_index"],
            "layer": context["layer"], "method": "Grad-CAM",
        }  # fmt: skip
        self.add(
            Image(
                self._heat,
                name=f"{self.image.name} {self.model} Grad-CAM {context['class_name']}",
                colormap=heat_colours(),
                contrast_limits=(0, 1),
                opacity=0.7,
                blending="translucent",
                interpolation2d="linear",
                metadata=provenance(self.image, "grad-cam", **facts),
                **like_source(self.image, context["grid"].transform(None)),
            ),
            self._below,
        )
