"""What a segmentation is asked for and what it returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import GridTransform


@dataclass(frozen=True, slots=True)
class SegmentSettings:
    """How to segment.

    Parameters
    ----------
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    precision : str
        ``"auto"`` (float32, so that a mask is the same everywhere), ``"float32"`` or ``"bfloat16"``.
    probabilities : bool
        Also make probability maps.
    threshold : float, optional
        Operating point instead of the model's own; see :func:`napari_medpatch.infer.decide.decide`.
    axis : int, optional
        Slice axis of a 2D model on a volume; 0, the axial slices, by default.
    block_voxels : int, optional
        Largest block the network sees; chosen from the memory by default. The result does not depend on it.
    postprocess : bool
        Clean the mask by the rules of the model's card.
    """

    device: str = "auto"
    precision: str = "auto"
    probabilities: bool = True
    threshold: float | None = None
    axis: int | None = None
    block_voxels: int | None = None
    postprocess: bool = True


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """A mask and where it came from.

    Parameters
    ----------
    mask : ndarray
        uint8, 0 background, 1… classes; on the source's grid, for slides at the working resolution.
    probabilities : ndarray or None
        uint8, ``(C, *mask.shape)``, probability × 255 of each foreground class.
    class_names : tuple of str
        Foreground classes; mask value ``i + 1`` is ``class_names[i]``.
    seconds : float
        Wall time.
    provenance : mapping
        Model, hash, device, precision, resolution and settings; JSON-serialisable.
    downsample : tuple of float
        Source pixels per mask pixel along each axis; 1 except on slides.
    transform : GridTransform
        Place of the mask over the source.
    """

    mask: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.uint8] | None
    class_names: tuple[str, ...]
    seconds: float
    provenance: Mapping[str, Any] = field(default_factory=dict)
    downsample: tuple[float, ...] = ()
    transform: GridTransform | None = None
