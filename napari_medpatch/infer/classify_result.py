"""How to classify, and what comes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.patches.grid import PatchGrid


@dataclass(frozen=True, slots=True)
class ClassifySettings:
    """How to classify.

    Parameters
    ----------
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    batch_size : int
        Patches per pass; 0 chooses.
    overlap : float
        Of neighbouring patches, below 1; negative values leave gaps.
    min_tissue : float, optional
        Take patches with at least this share of tissue instead of those whose centre lies on it.
    exact : bool
        WSInfer's path: level 0, mean pixel size, PIL's resize.
    resume : bool
        Use the scores that an earlier run with the same image, model and settings left.
    precision : str
        ``"auto"``, ``"float32"`` or ``"bfloat16"``.
    threads : int
        Readers; 0 chooses.
    """

    device: str = "auto"
    batch_size: int = 0
    overlap: float = 0.0
    min_tissue: float | None = None
    exact: bool = False
    resume: bool = True
    precision: str = "auto"
    threads: int = 0


DEFAULTS = ClassifySettings()


@dataclass(frozen=True, slots=True, eq=False)
class ClassifyResult:
    """Scores of an image's patches.

    Parameters
    ----------
    grid : PatchGrid
        Where the patches lie.
    probabilities : ndarray
        ``(rows, cols, C) float32``, NaN where no patch was scored.
    class_names : tuple of str
        One per channel.
    score : mapping
        See :func:`napari_medpatch.infer.aggregate.slide_score`.
    files : tuple of Path
        What was written: CSV, GeoJSON, OME-TIFF, JSON; empty without ``out``.
    provenance : mapping
        JSON-serialisable record of the run.
    """

    grid: PatchGrid
    probabilities: npt.NDArray[np.float32]
    class_names: tuple[str, ...]
    score: Mapping[str, Any]
    files: tuple[Path, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
