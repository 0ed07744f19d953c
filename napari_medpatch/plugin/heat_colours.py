"""Colours of Grad-CAM: cold is transparent, so that the tissue stays visible there."""

from functools import lru_cache
from typing import Any

import numpy as np


@lru_cache(maxsize=1)
def heat_colours() -> Any:
    """Return a napari colormap; the same object every time, because napari would number others."""
    from napari.utils.colormaps import Colormap, ensure_colormap

    steps = np.linspace(0, 1, 256)
    colours = ensure_colormap("inferno").map(0.25 + 0.7 * steps)
    colours[:, 3] = np.clip(steps, 0, 1) ** 0.7
    return Colormap(colours, name="grad-cam", controls=steps)
