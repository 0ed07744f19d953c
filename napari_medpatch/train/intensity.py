"""Which values a network should tell apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_medpatch.annotate.sparse import LabelArray
from napari_medpatch.geometry import Box
from napari_medpatch.io.source import Source
from napari_medpatch.train.features import FloatArray

_SAMPLE_SLICES = 24
_NEAR = 6
_LEAST_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Window:
    """A range of values of a volume, HU for CT.

    Parameters
    ----------
    low, high : float
        Mapped to 0 and 1; beyond is cut off.
    """

    low: float
    high: float

    @classmethod
    def of(cls, intensity: Mapping[str, Any]) -> "Window":
        """Return the window of a model card."""
        return cls(float(intensity["low"]), float(intensity["high"]))

    @property
    def intensity(self) -> dict[str, Any]:
        """Entry of a model card."""
        return {"kind": "hu_window", "low": self.low, "high": self.high}

    def widened(self, limit: "Window") -> "Window":
        """Return a window twice as wide, within ``limit``: the surroundings of an object matter too."""
        margin = (self.high - self.low) / 2
        low, high = max(limit.low, self.low - margin), min(limit.high, self.high + margin)
        return Window(round(low, 3), round(high, 3))


def value_range(source: Source, intensity: Mapping[str, Any] | None = None) -> Window:
    """Return the values that occur, without the rare extremes of metal and air.

    Parameters
    ----------
    source : Source
        A volume; some of its slices are read.
    intensity : mapping, optional
        Window of a base model, which is covered too.
    """
    depth, height, width = source.levels[0].shape
    chosen = np.unique(np.linspace(0, depth - 1, min(depth, _SAMPLE_SLICES)).round().astype(int))
    planes = [source.read(0, Box((int(z), 0, 0), (int(z) + 1, height, width))) for z in chosen]
    values = np.concatenate([plane.reshape(-1)[:: max(1, plane.size // 65536)] for plane in planes])
    low, high = (float(v) for v in np.percentile(values, (0.1, 99.9)))
    if intensity is not None:
        given = Window.of(intensity)
        low, high = min(low, given.low), max(high, given.high)
    # A constant volume still needs a window.
    return Window(round(low, 3), round(high if high > low else low + 1, 3))


def detail_window(image: FloatArray, labels: LabelArray, wide: Window) -> Window:
    """Return the range of painted values in and around the painted objects.

    Parameters
    ----------
    image : ndarray
        ``(Z, Y, X)``, 0…1 over ``wide``.
    labels : ndarray
        Sparse labels.
    wide : Window
        The values that occur.
    """
    from scipy.ndimage import binary_dilation

    near = binary_dilation(labels > 1, iterations=_NEAR) & (labels > 0)
    if not near.any():
        return wide
    low, high = (float(v) for v in np.percentile(image[near], (2, 98)))
    # Two classes of nearly one value would make noise look like structure.
    slack = max(0.0, _LEAST_SHARE / 2 - (high - low) / 2)
    span = wide.high - wide.low
    return Window(wide.low + span * max(0.0, low - slack), wide.low + span * min(1.0, high + slack))


def rescale(image: FloatArray, now: Window, wanted: Window) -> FloatArray:
    """Return an image that is 0…1 over one window as 0…1 over another."""
    values = image * np.float32(now.high - now.low) + np.float32(now.low - wanted.low)
    result: FloatArray = np.clip(values / np.float32(wanted.high - wanted.low), 0, 1)
    return result
