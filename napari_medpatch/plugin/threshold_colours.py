"""Fading the patches below a threshold by colour alone, so that their values stay what they are."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import napari.layers
    import numpy.typing as npt

ALPHAS = {"show": 1.0, "fade": 0.25, "hide": 0.0}
"""Opacity of patches below the threshold, by the name that the preferences keep."""

_SUFFIX = " from threshold"
_STEPS = 256


def fade_below(layer: "napari.layers.Image", threshold: float, how: str) -> None:
    """Draw values below a threshold fainter; ``"show"`` gives the layer its own colours back.

    Parameters
    ----------
    layer : napari image layer
        With values and contrast limits from 0 to 1. A colour map that the user chooses is kept.
    threshold : float
        First value that is drawn in full.
    how : str
        A key of :data:`ALPHAS`.
    """
    from napari.utils.colormaps import AVAILABLE_COLORMAPS, ensure_colormap

    base = layer.colormap.name.removesuffix(_SUFFIX)
    alpha = ALPHAS[how]
    if alpha == 1.0 or threshold <= 0.0:
        if layer.colormap.name != base:
            layer.colormap = base
        return
    name = base + _SUFFIX
    # napari keeps every colour map under its name and would number them; one at a time is enough.
    AVAILABLE_COLORMAPS.pop(name, None)
    layer.colormap = _faded(ensure_colormap(base), threshold, alpha, name)


def colours_of(layer: "napari.layers.Image", values: "npt.ArrayLike") -> "npt.NDArray[Any]":
    """Return ``(N, 4)`` colours, 0 to 1, in which a layer draws values, without fading."""
    from napari.utils.colormaps import ensure_colormap

    low, high = layer.contrast_limits
    base = ensure_colormap(layer.colormap.name.removesuffix(_SUFFIX))
    return base.map(((np.asarray(values) - low) / (high - low)).clip(0, 1))


def _faded(base: Any, threshold: float, alpha: float, name: str) -> Any:
    from napari.utils.colormaps import Colormap

    cut = min(threshold, 1.0)
    controls = np.unique(np.concatenate([np.linspace(0, 1, _STEPS), [cut, max(0.0, cut - 1e-6)]]))
    colours = base.map(controls)
    colours[controls < cut, 3] *= alpha
    return Colormap(colours, name=name, controls=controls)
