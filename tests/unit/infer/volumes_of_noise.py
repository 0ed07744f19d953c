"""Volumes on which a random network finds something everywhere, and the ways to work through them."""

import numpy as np
import pytest
import torch

from napari_medpatch.geometry import Box
from napari_medpatch.infer import network_pass
from napari_medpatch.infer.segment_plan import plan_segmentation
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.bundle import Bundle


def noise(shape: tuple[int, ...], spacing: tuple[float, ...] = (1.0, 1.0, 1.0), seed: int = 0) -> ArraySource:
    """Blocks of four voxels of random HU."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(-1000, 400, [-(-n // 4) for n in shape])
    fine = coarse.repeat(4, 0).repeat(4, 1).repeat(4, 2)[tuple(slice(n) for n in shape)]
    return ArraySource(fine.astype(np.int16), "volume", spacing)


def sweep_in_slabs(monkeypatch: pytest.MonkeyPatch, voxels: int) -> None:
    """Let jobs treat small volumes as they treat large ones."""
    monkeypatch.setattr(network_pass, "_ONCE_FLOATS", 0)
    monkeypatch.setattr(network_pass, "_SLAB_VOXELS", voxels)


def logits_of_one_pass(source: ArraySource, bundle: Bundle) -> np.ndarray:
    """What torch gives for the whole working volume at once."""
    plan = plan_segmentation(source, bundle.card)
    list(plan.image.prepare())
    block = torch.from_numpy(plan.image.block(Box.whole(plan.tiling.canvas)))[None]
    with torch.no_grad():
        logits = bundle.load()(block)[0].numpy()
    return logits[(slice(None), *Box.whole(plan.tiling.shape).slices)]
