"""Result layers that fill while their job runs, on the image the job was started on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.events import BlockSegmented, Event, PatchesScored, Started
from napari_medpatch.geometry import GridTransform
from napari_medpatch.plugin.layers import like_source, mask_colours, provenance
from napari_medpatch.plugin.links import belongs_to, spacing_of
from napari_medpatch.plugin.messages import warn

if TYPE_CHECKING:
    import napari
    import napari.layers

_QUIET = {"extent": False, "thumbnail": False, "highlight": False}
"""Only the pixels changed; napari need not measure or draw a thumbnail ten times a second."""


class ResultLayers:
    """Layers of one job; they are found by identity, and a removed one is never brought back.

    Parameters
    ----------
    viewer : napari.Viewer
        Where they go.
    image : napari image layer
        The image that the job runs on; results are dropped, with a message, once it is removed.
    job : str
        For that message: ``"Segmentation"``.
    """

    def __init__(self, viewer: "napari.Viewer", image: "napari.layers.Image", job: str) -> None:
        self.viewer, self.image, self.job = viewer, image, job
        self.layers: list[napari.layers.Layer] = []
        self._told = False

    @property
    def image_is_there(self) -> bool:
        """Whether the image is still in the viewer; says so once when it is not."""
        there = self.image in self.viewer.layers
        if not there and not self._told:
            self._told = True
            warn(f"{self.job}: the image {self.image.name} was removed, so its result is dropped.")
        return there

    def add(self, layer: "napari.layers.Layer") -> None:
        """Show a result above its image without taking the selection from the user."""
        selected = list(self.viewer.layers.selection)
        belongs_to(layer, self.image)
        self.viewer.add_layer(layer)
        self.layers.append(layer)
        if selected:
            self.viewer.layers.selection = selected

    def redraw(self) -> None:
        """Draw what was written into the layers' arrays."""
        for layer in self.layers:
            if layer in self.viewer.layers:
                layer.refresh(**_QUIET)

    def settle(self) -> None:
        """Draw for the last time, thumbnails too."""
        for layer in self.layers:
            if layer in self.viewer.layers:
                layer.refresh()


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
        if not self.is_complete or (names, shape) != (self.class_names, self._shape):
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
        from napari.layers import Image, Labels
        from napari.utils.colormaps import DirectLabelColormap

        common = like_source(self.image, self._grid)
        stem = f"{self.image.name} {self.model}"
        facts = {"model": self.model, "class_names": list(self.class_names)}
        if self._with_probabilities:
            for index, name in enumerate(self.class_names):
                values = np.zeros(self._shape, np.uint8)
                self.maps.append(values)
                self.add(
                    Image(
                        values,
                        name=f"{stem} p({name})",
                        colormap="viridis",
                        contrast_limits=(0, 255),
                        opacity=0.5,
                        blending="translucent",
                        visible=False,
                        metadata=provenance(self.image, "probability", **facts, class_index=index),
                        **common,
                    )
                )
        self.mask = np.zeros(self._shape, np.uint8)
        self.add(
            Labels(
                self.mask,
                name=stem,
                opacity=0.6,
                colormap=DirectLabelColormap(color_dict=mask_colours(len(self.class_names), self.colours)),
                metadata=provenance(self.image, "mask", **facts),
                **common,
            )
        )


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
