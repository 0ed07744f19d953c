"""What a segmentation is asked for and what it returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import GridTransform
from napari_medpatch.infer.clean.history import CleanRecord


@dataclass(frozen=True, slots=True)
class SegmentSettings:
    """How to segment.

    Parameters
    ----------
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    precision : str
        ``"auto"`` (float32, so that a mask is the same everywhere), ``"float32"``, ``"bfloat16"``, or
        ``"fast"``: bfloat16 where a short trial of the network is faster in it. bfloat16 changes the class
        of some voxels in ten thousand.
    probabilities : bool
        Also make probability maps.
    threshold : float, optional
        Operating point instead of the model's own; see :func:`napari_medpatch.infer.decide.decide`.
    axis : int or "all", optional
        Slice axis of a 2D model on a volume: 0 axial, 1 coronal, 2 sagittal slices; by default the card's.
        ``"all"`` averages all three, see :mod:`napari_medpatch.infer.multiplanar`.
    block_voxels : int, optional
        Largest block the network sees; chosen from the memory by default. The result does not depend on it.
    postprocess : bool
        Clean the mask by the rules of the model's card.
    uncertainty : bool
        Also make a map of the classes' entropy.
    first : tuple of float, optional
        Pixel of the image's finest grid near which to begin: what the user looks at. It changes the order only.
    skip_air : bool, optional
        Leave out the air around a patient (CT models): it becomes background without asking the network. By
        default only if the model's card says ``"skip_air": true`` under ``intensity``, for a model may well
        have learnt something out there.
    resume : bool
        Go on from the blocks that a stopped run left, if a folder for them is given.
    """

    device: str = "auto"
    precision: str = "auto"
    probabilities: bool = True
    threshold: float | None = None
    axis: int | Literal["all"] | None = None
    block_voxels: int | None = None
    postprocess: bool = True
    uncertainty: bool = False
    first: tuple[float, ...] | None = None
    skip_air: bool | None = None
    resume: bool = True


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
    uncertainty : ndarray or None
        uint8, shape of the mask: entropy of the classes, background included, as a share of the largest
        possible one × 255.
    cleaned : CleanRecord or None
        What the model's own clean-up changed; ``cleaned.delta.undo(mask)`` takes it back.
    """

    mask: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.uint8] | None
    class_names: tuple[str, ...]
    seconds: float
    provenance: Mapping[str, Any] = field(default_factory=dict)
    downsample: tuple[float, ...] = ()
    transform: GridTransform | None = None
    uncertainty: npt.NDArray[np.uint8] | None = None
    cleaned: CleanRecord | None = None
