"""What fine-tuning returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import GridTransform
from napari_medpatch.models.bundle import Bundle


@dataclass(frozen=True, slots=True)
class FineTuneResult:
    """A new model, and the image it was trained on as it is understood now.

    Parameters
    ----------
    bundle : Bundle
        The U-Net, saved.
    mask : ndarray or None
        uint8, 0 background, 1… classes; on the source's grid, for slides at the working resolution. What
        was painted stands as it was. None unless predicted.
    probabilities : ndarray or None
        uint8, ``(C, *mask.shape)``, probability × 255 of each foreground class.
    class_names : tuple of str
        Foreground classes; mask value ``i + 1`` is ``class_names[i]``.
    metrics : mapping of str to float
        ``loss``; ``dice`` and ``iou`` on held-out paint if there was enough, ``network_dice`` of the U-Net
        alone.
    steps : int
        Optimiser steps taken.
    seconds : float
        Wall time of the whole.
    provenance : mapping
        Image, base, budget, resolution and how the mask was blended; JSON-serialisable.
    downsample : tuple of float
        Source pixels per mask pixel along each axis; 1 except on slides.
    transform : GridTransform or None
        Place of the mask over the source.
    """

    bundle: Bundle
    mask: npt.NDArray[np.uint8] | None
    probabilities: npt.NDArray[np.uint8] | None
    class_names: tuple[str, ...]
    metrics: Mapping[str, float]
    steps: int
    seconds: float
    provenance: Mapping[str, Any] = field(default_factory=dict)
    downsample: tuple[float, ...] = ()
    transform: GridTransform | None = None
