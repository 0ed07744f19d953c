"""The mask and probability layers of a segmentation, filled block by block."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.events import BlockSegmented, Event, Started
from napari_medpatch.geometry import GridTransform
from napari_medpatch.plugin.layers import like_source, mask_colours, provenance
from napari_medpatch.plugin.links import spacing_of
from napari_medpatch.plugin.overlays import ResultLayers

if TYPE_CHECKING:
    import napari
    import napari.layers


class LiveMask(ResultLayers):
    """Mask and probability layers of a segmentation.

    Parameters
    ----------
    viewer, image
        As :class:`ResultLayers`.
    model : str
        For names and provenance.
    probabilities : bool
        Show them, uint8, 255 is certain.
    job : str
        What it is called in messages.
    colours : sequence, optional
        ``#rrggbb`` of the classes.
    """

    def __init__(
        self,
        viewer: "napari.Viewer",
        image: "napari.layers.Image",
        model: str,
        *,
        probabilities: bool,
        job: str = "Segmentation",
        colours: Sequence[str] = (),
    ) -> None:
        super().__init__(viewer, image, job)
        self.model, self.colours = model, tuple(colours)
        self.class_names: tuple[str, ...] = ()
        self._shape: tuple[int, ...] = ()
        self._grid: GridTransform | None = None
        self._with_probabilities = probabilities
        self.mask: np.ndarray[Any, Any] | None = None
        self.maps: list[np.ndarray[Any, Any]] = []

    def on_events(self, events: Sequence[Event]) -> None:
        """Take blocks in."""
        for event in events:
            if isinstance(event, Started):
                self._place(event)
        blocks = [event for event in events if isinstance(event, BlockSegmented)]
        if not blocks or not self.image_is_there:
            return
        self._ensure_layers()
        for block in blocks:
            self._put(block)
        self.redraw()

    def on_result(self, result: Any) -> None:
        """Take the final mask in: post-processing may have changed blocks.

        Parameters
        ----------
        result : SegmentResult or FineTuneResult
            With ``mask``, ``probabilities`` and ``provenance`` if it has one.
        """
        if not self.image_is_there or result.mask is None:
            return
        self._ensure_layers()
        self.mask[...] = result.mask  # type: ignore[index]
        if result.probabilities is not None:
            for target, values in zip(self.maps, result.probabilities, strict=False):
                target[...] = values
        for layer in self.layers:
            layer.metadata["medpatch"]["provenance"] = dict(getattr(result, "provenance", {}) or {})
        self.settle()

    @property
    def is_complete(self) -> bool:
        """Whether the layers were made and none was removed, so that another result can refresh them."""
        return bool(self.layers) and all(layer in self.viewer.layers for layer in self.layers)

    def _place(self, event: Started) -> None:
        """Take classes and grid from the job; a slide's mask is coarser than the slide.

        Layers of an earlier run of the same shape and classes are filled anew.
        """
        names, shape = tuple(event.context["classes"]), tuple(event.context["shape"])
        if self.is_complete and (names, shape) == (self.class_names, self._shape):
            self._colour()
        else:
            self.mask, self.maps, self.layers = None, [], []
        self.class_names, self._shape = names, shape
        spacing = spacing_of(self.image)
        pixel = spacing.values if spacing is not None else (1.0,) * len(self._shape)
        place = event.context["transform"]
        translate = tuple(t / p for t, p in zip(place.translate, pixel, strict=True))
        self._grid = GridTransform(tuple(event.context["downsample"]), translate)

    def _put(self, block: BlockSegmented) -> None:
        where = block.box.slices
        self.mask[where] = block.labels  # type: ignore[index]
        if block.probabilities is not None:
            for target, values in zip(self.maps, block.probabilities, strict=False):
                target[where] = values

    def _ensure_layers(self) -> None:
        if self.mask is not None:
            return
        stem = f"{self.image.name} {self.model}"
        if self._with_probabilities:
            for index, name in enumerate(self.class_names):
                self._add_map(f"{stem} p({name})", index)
        self.mask = np.zeros(self._shape, np.uint8)
        self._add_mask(stem)

    def _add_map(self, name: str, index: int) -> None:
        from napari.layers import Image

        values = np.zeros(self._shape, np.uint8)
        self.maps.append(values)
        metadata = provenance(self.image, "probability", **self._facts(), class_index=index)
        place = like_source(self.image, self._grid)
        looks = {"colormap": "viridis", "contrast_limits": (0, 255), "opacity": 0.5, "blending": "translucent"}
        self.add(Image(values, name=name, visible=False, metadata=metadata, **looks, **place))

    def _add_mask(self, name: str) -> None:
        from napari.layers import Labels

        metadata = provenance(self.image, "mask", **self._facts())
        layer = Labels(self.mask, name=name, opacity=0.6, metadata=metadata, **like_source(self.image, self._grid))
        self.add(layer)
        self._colour()

    def _colour(self) -> None:
        """Give the mask, the last of the layers, the classes' colours."""
        from napari.utils.colormaps import DirectLabelColormap

        table = mask_colours(len(self.class_names), self.colours)
        self.layers[-1].colormap = DirectLabelColormap(color_dict=table)

    def _facts(self) -> dict[str, Any]:
        return {"model": self.model, "class_names": list(self.class_names)}
