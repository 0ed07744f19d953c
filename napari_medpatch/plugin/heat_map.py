"""What a heat map layer knows: its image, model and grid, and the scores of its patches, finished or not."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.geometry import Box
from napari_medpatch.plugin.layers import META, role_of
from napari_medpatch.plugin.links import image_of, source_of

if TYPE_CHECKING:
    import napari.layers

    from napari_medpatch.models.bundle import Bundle

RUN, RESULT, BUNDLE = "medpatch_run", "medpatch_result", "medpatch_bundle"
"""Keys of live objects in ``layer.metadata``: the run, its result once there is one, the model."""

Cell = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """One class's layer of a classification.

    Parameters
    ----------
    layer : napari image layer
        The heat map.
    image : napari image layer
        What was classified.
    """

    layer: "napari.layers.Image"
    image: "napari.layers.Image"

    @property
    def bundle(self) -> "Bundle | None":
        """The model, None if the layer does not carry it."""
        return self.layer.metadata.get(BUNDLE)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of the model."""
        return tuple(self.layer.metadata[META].get("class_names", ()))

    @property
    def class_index(self) -> int:
        """Whose probability the layer draws."""
        return int(self.layer.metadata[META].get("class_index", 0))

    @property
    def probabilities(self) -> "np.ndarray[Any, Any]":
        """``(rows, cols, C) float32``, NaN where nothing was scored (yet)."""
        result, run = self.layer.metadata.get(RESULT), self.layer.metadata.get(RUN)
        if result is not None:
            return result.probabilities
        if run is not None and run.tally is not None:
            return np.moveaxis(run.tally.values, 0, -1)
        values = np.full((*self.layer.data.shape, max(1, len(self.class_names))), np.nan, np.float32)
        values[..., self.class_index] = self.layer.data
        return values

    @property
    def extras(self) -> "dict[str, np.ndarray[Any, Any]]":
        """``(rows, cols)`` by name: uncertainty, attention."""
        result, run = self.layer.metadata.get(RESULT), self.layer.metadata.get(RUN)
        if result is not None:
            return dict(result.extras)
        return dict(run.tally.extras) if run is not None and run.tally is not None else {}

    def is_like(self, other: "HeatMap | None") -> bool:
        """Whether another heat map is of the same image, model and grid, so that cells mean the same."""
        if other is None or self.image is not other.image or self.bundle is not other.bundle:
            return False
        shape = self.layer.data.shape
        last = (shape[0] - 1, shape[1] - 1)
        return shape == other.layer.data.shape and all(self.box_of(c) == other.box_of(c) for c in ((0, 0), last))

    def values_of(self, by: str, class_index: int) -> "np.ndarray[Any, Any]":
        """Return the ``(rows, cols)`` of an extra, or of a class's probability for any other name."""
        return self.extras.get(by, self.probabilities[..., class_index])

    def cell_at(self, world: Any) -> Cell | None:
        """Return the cell under a point of the world, None outside the grid."""
        place = self.layer.world_to_data(tuple(world)[-2:])
        row, col = (int(np.floor(value + 0.5)) for value in place)
        rows, cols = self.layer.data.shape[:2]
        return (row, col) if 0 <= row < rows and 0 <= col < cols else None

    def is_scored(self, cell: Cell) -> bool:
        """Whether a patch has a score."""
        return bool(np.isfinite(self.layer.data[cell]))

    def box_of(self, cell: Cell) -> Box:
        """Return the patch of a cell in level-0 pixels."""
        grid = self._grid()
        if grid is not None:
            return grid.box(*cell)
        centre = np.asarray(self.image.world_to_data(self.layer.data_to_world(cell)), np.float64)
        patch = np.asarray(self.patch_px)
        start = np.floor(centre - (patch - 1) / 2 + 0.5).astype(int)
        return Box(tuple(start.tolist()), tuple((start + patch).tolist()))

    @property
    def patch_px(self) -> tuple[int, int]:
        """Extent of a patch in level-0 pixels; a cell's, where nothing says how large the patches were."""
        grid = self._grid()
        if grid is not None:
            return grid.patch_px
        if self.bundle is not None:
            from napari_medpatch.patches.grid import patch_scale

            return patch_scale(source_of(self.image), self.bundle.card).patch_px
        step = np.abs(np.asarray(self.layer.scale) / np.asarray(self.image.scale))
        return max(1, round(float(step[0]))), max(1, round(float(step[1])))

    def _grid(self) -> Any:
        result, run = self.layer.metadata.get(RESULT), self.layer.metadata.get(RUN)
        return result.grid if result is not None else getattr(run, "grid", None)


def heat_map_of(layer: "napari.layers.Layer | None") -> HeatMap | None:
    """Return what a layer knows, None if it is no heat map or its image is gone."""
    if role_of(layer) != "heat map":
        return None
    image = image_of(layer)
    return HeatMap(layer, image) if image is not None else None  # type: ignore[arg-type]
