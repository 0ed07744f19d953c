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
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; several share the patches:
        ``"cuda:0,cuda:1"`` or ``"cuda:all"``.
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
    stride_um : float, optional
        From one patch to the next, in µm; takes the place of ``overlap``.
    tiling : str
        Name of a rule in :data:`napari_medpatch.patches.presets.TILINGS`.
    tta : int
        Random views of each patch to average with the plain one (test-time augmentation).
    mc_dropout : int
        Passes with random dropout to average (Monte-Carlo dropout).
    seed : int
        Of random views and dropout.
    compress : bool
        Write ``<stem>.geojson.gz``.
    top_k : int
        Patches in the slide's top-k mean.
    """

    device: str = "auto"
    batch_size: int = 0
    overlap: float = 0.0
    min_tissue: float | None = None
    exact: bool = False
    resume: bool = True
    precision: str = "auto"
    threads: int = 0
    stride_um: float | None = None
    tiling: str = "wsinfer"
    tta: int = 0
    mc_dropout: int = 0
    seed: int = 0
    compress: bool = False
    top_k: int = 10


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
    extras : mapping of str to ndarray
        ``(rows, cols) float32`` by name, NaN where no patch was scored: ``"uncertainty"``, ``"attention"``.
    """

    grid: PatchGrid
    probabilities: npt.NDArray[np.float32]
    class_names: tuple[str, ...]
    score: Mapping[str, Any]
    files: tuple[Path, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    extras: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
