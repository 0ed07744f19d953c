"""The display window of an image layer: level and width, by preset, by percentiles, by number."""

from typing import TYPE_CHECKING

import numpy as np

from napari_medpatch.io.hu import LevelWidth
from napari_medpatch.plugin.links import live_source

if TYPE_CHECKING:
    import napari.layers

PERCENTILES = ((0.5, 99.5), (2.0, 98.0), (0.0, 100.0))
"""Of the values that become black and white, for volumes whose values have no unit."""

_SAMPLE = 1e6


def window_of(layer: "napari.layers.Image") -> LevelWidth:
    """Return the display window of a layer."""
    low, high = (float(value) for value in layer.contrast_limits)
    return LevelWidth.of_limits(low, high)


def set_window(layer: "napari.layers.Image", window: LevelWidth) -> None:
    """Show a layer in a window; a width that is not positive becomes the least one that can be shown."""
    width = max(window.width, least_width(layer))
    layer.contrast_limits = LevelWidth(window.level, width).limits


def least_width(layer: "napari.layers.Image") -> float:
    """Return the narrowest window that makes sense: one value, or a thousandth of what a float image holds."""
    if np.issubdtype(layer.dtype, np.integer):
        return 1.0
    low, high = layer.contrast_limits_range
    return max(float(high - low) / 1000, 1e-9)


def decimals_of(layer: "napari.layers.Image") -> int:
    """Return how many digits after the point a field for the layer's values needs."""
    return int(np.clip(-np.floor(np.log10(least_width(layer))), 0, 6))


def percentile_window(layer: "napari.layers.Image", low: float, high: float) -> LevelWidth:
    """Return the window between two percentiles of about a million of the layer's voxels."""
    data = layer.data
    step = max(1, round((data.size / _SAMPLE) ** (1 / 3)))
    ends = np.nanpercentile(np.asarray(data[::step, ::step, ::step]), (low, high)).tolist()
    return LevelWidth.of_limits(ends[0], max(ends[1], ends[0] + least_width(layer)))


def is_hu(layer: "napari.layers.Image | None") -> bool:
    """Return whether a volume's values are HU; also for layers that nothing is known of."""
    source = live_source(layer)
    return source is None or source.metadata.get("value_unit") == "HU"
