"""What a new run does to the layers of those before it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.plugin.links import image_of

if TYPE_CHECKING:
    from napari_medpatch.plugin.live_heat_map import LiveHeatMap

RUN = "medpatch_run"
"""Key of the run in ``layer.metadata``."""


def run_of(layer: Any) -> "LiveHeatMap | None":
    """Return the run that a layer belongs to."""
    return None if layer is None else layer.metadata.get(RUN)


def give_way(new: "LiveHeatMap") -> None:
    """Hide the results of earlier runs on the image; the same run, once more or gone on with, replaces them.

    A run that replaces another one keeps the threshold that the user chose.
    """
    viewer = new.viewer
    for layer in [layer for layer in viewer.layers if image_of(layer) is new.image]:
        earlier = run_of(layer)
        if earlier is None or earlier is new:
            continue
        if not is_same(earlier, new):
            layer.visible = False
            continue
        new.points = earlier.points
        viewer.layers.remove(layer)


def is_same(one: "LiveHeatMap", other: "LiveHeatMap") -> bool:
    """Whether two runs have model, settings and patches in common, so that their scores are the same."""
    return (
        one.model == other.model
        and dict(one.settings) == dict(other.settings)
        and one.tally is not None
        and other.tally is not None
        and one.names == other.names
        and one.grid.stride_px == other.grid.stride_px
        and one.grid.patch_px == other.grid.patch_px
        and len(one.grid.cells) == len(other.grid.cells)
        and bool(np.array_equal(np.sort(one.grid.cells, axis=0), np.sort(other.grid.cells, axis=0)))
    )
