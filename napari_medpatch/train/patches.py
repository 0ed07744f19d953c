"""Batches of patches from one image."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_medpatch.train.augment import flip_axes, jitter, mirror
from napari_medpatch.train.features import FloatArray
from napari_medpatch.train.loop import Batch
from napari_medpatch.train.sampler import PatchSampler
from napari_medpatch.train.targets import Targets

if TYPE_CHECKING:
    import torch

# Patches smaller than the network's reach train it on borders that it will not meet.
_PATCH = {2: (128, 128), 3: (32, 64, 64)}
# torch takes a slow path for one small volume at a time; two cost hardly more than one.
_BATCH = {2: 6, 3: 2}


def patch_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of patches from a padded image, nowhere larger than it."""
    return tuple(min(wanted, size) for wanted, size in zip(_PATCH[len(shape)], shape, strict=True))


def pad_image(image: FloatArray, multiple: int, *, repeat_border: bool) -> FloatArray:
    """Return ``(C, *spatial)`` grown at the end of each axis to what a network takes.

    Parameters
    ----------
    image : ndarray
        Network input.
    multiple : int
        Edges become multiples of this.
    repeat_border : bool
        Fill with the border; with 0 otherwise. As inference does: 0 for volumes, the border for pictures.
    """
    margins = [(0, 0), *((0, -size % multiple) for size in image.shape[1:])]
    if repeat_border:
        return np.pad(image, margins, mode="edge")
    return np.pad(image, margins)


def batch_maker(
    inputs: FloatArray, targets: Targets, class_names: Sequence[str], generator: np.random.Generator
) -> Callable[[], Batch]:
    """Return a function that draws batches.

    Parameters
    ----------
    inputs : ndarray
        ``(C, *padded)`` float32 network input.
    targets : Targets
        Of the image; what was padded does not count.
    class_names : sequence of str
        Decide which mirroring is safe.
    generator : numpy.random.Generator
        Of places and augmentation.
    """
    import torch

    padded = inputs.shape[1:]
    margins = [(0, full - size) for full, size in zip(padded, targets.labels.shape, strict=True)]
    grown = Targets(
        np.pad(targets.labels, margins), np.pad(targets.classes, [(0, 0), *margins]), np.pad(targets.weight, margins)
    )
    sampler = PatchSampler(grown, patch_shape(padded))
    axes = flip_axes(len(padded), class_names)
    image_map, class_map = torch.from_numpy(inputs), torch.from_numpy(grown.classes)
    weight_map = torch.from_numpy(grown.weight)

    def one() -> list["torch.Tensor"]:
        box = sampler.draw(generator).slices
        parts = [image_map[(slice(None), *box)], class_map[(slice(None), *box)], weight_map[box]]
        image, classes, weight = mirror(parts, axes, generator)
        return [jitter(image, generator), classes, weight]

    def draw() -> Batch:
        patches = [one() for _ in range(_BATCH[len(padded)])]
        images, classes, weights = (torch.stack(parts) for parts in zip(*patches, strict=True))
        return images, classes, weights

    return draw
