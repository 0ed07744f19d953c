"""The mask, probability and uncertainty layers of a segmentation, filled block by block."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from napari_medpatch.events import BlockSegmented, Event, Started
from napari_medpatch.geometry import GridTransform
from napari_medpatch.infer.decide import Decision
from napari_medpatch.infer.mask_canvas import MaskCanvas
from napari_medpatch.plugin.layers import META, like_source, mask_colours, provenance
from napari_medpatch.plugin.links import image_of, spacing_of
from napari_medpatch.plugin.overlays import ResultLayers
from napari_medpatch.plugin.probability_maps import RUN

if TYPE_CHECKING:
    import napari
    import napari.layers
    import numpy as np


class LiveMask(ResultLayers):
    """Mask, probability and uncertainty layers of a segmentation.

    The layers show the job's own arrays where it offers them: then nothing is copied on the window's thread.

    Parameters
    ----------
    viewer, image
        As :class:`ResultLayers`.
    model : str
        For names and provenance.
    probabilities, uncertainty : bool
        Show them, uint8: 255 is certain, or quite uncertain.
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
        uncertainty: bool = False,
        job: str = "Segmentation",
        colours: Sequence[str] = (),
    ) -> None:
        super().__init__(viewer, image, job)
        self.model, self.colours = model, tuple(colours)
        self.class_names: tuple[str, ...] = ()
        self._shape: tuple[int, ...] = ()
        self._grid: GridTransform | None = None
        self._with_probabilities, self._with_uncertainty = probabilities, uncertainty
        self._canvas: MaskCanvas | None = None
        self._is_live = False
        self._covered = 0
        self._to_come: list[Callable[[], None]] = []
        self._run = uuid4().hex

    @property
    def mask(self) -> "np.ndarray[Any, Any] | None":
        """The mask, None before the job began."""
        return self._canvas.mask if self._canvas is not None else None

    def on_events(self, events: Sequence[Event]) -> None:
        """Take blocks in."""
        for event in events:
            if isinstance(event, Started):
                self._place(event)
        if not self.image_is_there:
            self._remove()
            return
        blocks = [event for event in events if isinstance(event, BlockSegmented)]
        if not blocks or self._canvas is None:
            return
        self._next_layer()
        for block in blocks:
            self._covered += block.box.size
            if not self._is_live:
                self._canvas.put(block.box, Decision(block.labels, block.probabilities, block.uncertainty))
        self.redraw()

    def on_result(self, result: Any) -> None:
        """Take the final mask in: post-processing may have changed blocks.

        Parameters
        ----------
        result : SegmentResult or FineTuneResult
            With ``mask``, ``probabilities`` and ``provenance`` if it has one.
        """
        if not self.image_is_there or result.mask is None or self._canvas is None:
            return
        while not self.layers or self._to_come:
            self._next_layer()
        if result.mask is not self._canvas.mask:
            self._canvas.mask[...] = result.mask
            for target, values in (
                (self._canvas.maps, result.probabilities),
                (self._canvas.uncertainty, getattr(result, "uncertainty", None)),
            ):
                if target is not None and values is not None:
                    target[...] = values
        self._record(dict(getattr(result, "provenance", {}) or {}))

    def on_stopped(self) -> None:
        """Keep what there is, and write on the layers that it is not all."""
        if self._canvas is not None and self.layers:
            while self._to_come:
                self._next_layer()
            self._record({"model": self.model, "partial": True, "share_done": round(self.share_done, 3)})

    @property
    def share_done(self) -> float:
        """Part of the mask that has come, 0 to 1."""
        return min(1.0, self._covered / max(1, self._canvas.mask.size)) if self._canvas is not None else 0.0

    @property
    def is_complete(self) -> bool:
        """Whether the layers were made and none was removed, so that another result can refresh them."""
        return bool(self.layers) and all(layer in self.viewer.layers for layer in self.layers)

    def _remove(self) -> None:
        """Take the layers away: half a mask without its image is of no use."""
        for layer in self.layers:
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        self.layers = []

    def _record(self, facts: dict[str, Any]) -> None:
        for layer in self.layers:
            layer.metadata[META]["provenance"] = facts
        self.settle()

    def _place(self, event: Started) -> None:
        """Take classes and grid from the job; a slide's mask is coarser than the slide.

        Layers of an earlier run of the same shape and classes are filled anew, unless the job brings arrays.
        """
        names, shape = tuple(event.context["classes"]), tuple(event.context["shape"])
        live: MaskCanvas | None = event.context.get("live")
        self._covered = 0
        if live is None and self.is_complete and (names, shape) == (self.class_names, self._shape):
            self._colour()
        else:
            self.layers, self._to_come = [], []
            self._run = uuid4().hex  # maps of other classes are not of one run with these
            self._canvas = live if live is not None else self._own_canvas(shape, len(names))
        self._is_live = live is not None
        self.class_names, self._shape = names, shape
        spacing = spacing_of(self.image)
        pixel = spacing.values if spacing is not None else (1.0,) * len(self._shape)
        place = event.context["transform"]
        translate = tuple(t / p for t, p in zip(place.translate, pixel, strict=True))
        self._grid = GridTransform(tuple(event.context["downsample"]), translate)

    def _own_canvas(self, shape: tuple[int, ...], classes: int) -> MaskCanvas:
        return MaskCanvas(shape, classes, probabilities=self._with_probabilities, uncertainty=self._with_uncertainty)

    def _next_layer(self) -> None:
        """Make one of the layers that are still to be made, the mask first: each takes napari a tenth of a second."""
        if self.layers:
            for make in self._to_come[:1]:
                make()
            del self._to_come[:1]
        elif self._canvas is not None:
            self._remove_unfinished()
            stem = f"{self.image.name} {self.model}"
            self._add_mask(stem)
            self._to_come = list(self._makers_of_maps(stem, self._canvas))

    def _makers_of_maps(self, stem: str, canvas: MaskCanvas) -> "Iterator[Callable[[], None]]":
        if self._with_probabilities and canvas.maps is not None:
            looks = {"colormap": "viridis", "blending": "translucent"}
            for index, (name, values) in enumerate(zip(self.class_names, canvas.maps, strict=False)):
                title = f"{stem} p({name})"
                yield partial(self._add_map, title, values, looks, "probability", class_index=index)
        if self._with_uncertainty and canvas.uncertainty is not None:
            # Added, so that the image is as it is where the model is certain.
            looks = {"colormap": "magma", "blending": "additive"}
            yield partial(self._add_map, f"{stem} uncertainty", canvas.uncertainty, looks, "uncertainty")

    def _remove_unfinished(self) -> None:
        """Make room for the layers of a run that goes on: those of the stopped one hold less."""
        for layer in [layer for layer in self.viewer.layers if image_of(layer) is self.image]:
            known = layer.metadata.get(META, {})
            if known.get("model") == self.model and (known.get("provenance") or {}).get("partial"):
                self.viewer.layers.remove(layer)

    def _add_map(
        self, name: str, values: "np.ndarray[Any, Any]", looks: dict[str, str], role: str, **more: Any
    ) -> None:
        from napari.layers import Image

        metadata = provenance(self.image, role, **self._facts(), **more)
        place = like_source(self.image, self._grid)
        ranged: dict[str, Any] = {"contrast_limits": (0, 255), "opacity": 0.5, "visible": False}
        self.add(Image(values, name=name, metadata=metadata, **ranged, **looks, **place), below=self.layers[-1])
        # The mask stays the last of them.
        self.layers.insert(-1, self.layers.pop())

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
        return {"model": self.model, "class_names": list(self.class_names), RUN: self._run}
