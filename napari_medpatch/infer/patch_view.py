"""Everything about one patch: its pixels, what the model says, and where it looked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.events import Finished, Job, Noted, PictureRead
from napari_medpatch.geometry import Box
from napari_medpatch.infer.feed import PatchReader
from napari_medpatch.io.source import Source
from napari_medpatch.models.preprocess import input_shape, resize_like_pil

if TYPE_CHECKING:
    from napari_medpatch.infer.grad_cam import GradCam
    from napari_medpatch.models.bundle import Bundle
    from napari_medpatch.models.card import ModelCard

Rgb = npt.NDArray[np.uint8]

FULL, SEEN = 0, 1
"""Which picture a :class:`PictureRead` of :func:`view_patch` is: full resolution, or as the model sees it."""


@dataclass(frozen=True, slots=True, eq=False)
class PatchView:
    """One patch.

    Parameters
    ----------
    box : Box
        In level-0 pixels.
    full : ndarray
        ``(Y, X, 3) uint8`` at full resolution.
    seen : ndarray
        ``(y, x, 3) uint8`` as the network gets it, before values are normalised.
    heat : ndarray
        ``(Y, X) float32``, Grad-CAM, 0…1, at the resolution the patch was read at.
    probabilities : ndarray
        ``(C,) float32``, computed now.
    class_index : int
        Whose heat it is.
    layer : str
        Where the heat was taken.
    """

    box: Box
    full: Rgb
    seen: Rgb
    heat: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32]
    class_index: int
    layer: str


def look_at_patch(
    source: Source,
    box: Box,
    bundle: "Bundle | None",
    cam: "Callable[[], GradCam]",
    class_index: int | None = None,
) -> Job:
    """Look at one patch; only its pixels are read where no model is known.

    Parameters
    ----------
    source, box, cam, class_index
        As :func:`view_patch`.
    bundle : Bundle, optional
        The model that ``cam`` loads.
    """
    if bundle is not None:
        yield from view_patch(source, box, cam, class_index)
        return
    yield PictureRead(FULL, source.read(0, box))
    yield Finished(None)


def view_patch(source: Source, box: Box, cam: "Callable[[], GradCam]", class_index: int | None = None) -> Job:
    """Look at one patch.

    Parameters
    ----------
    source : Source
        The slide or photograph.
    box : Box
        In level-0 pixels; may reach beyond the image.
    cam : callable
        Returns the loaded model; called when the pixels are there, so that they can be shown first.
    class_index : int, optional
        Which class to explain; the most probable one by default.

    Yields
    ------
    Event
        :class:`PictureRead` with index :data:`FULL` as soon as pixels are there, and :data:`SEEN`;
        :class:`Finished` with a :class:`PatchView`.
    """
    full = source.read(0, box)
    yield PictureRead(FULL, full)
    yield Noted("Loading the model…")
    model = cam()
    corners = np.array([[*box.start, *box.stop]], np.int64)
    patches = PatchReader(source, corners, 0, black_outside=True).load(np.array([0]))
    seen = as_seen(patches, model.card)
    yield PictureRead(SEEN, seen)
    found = model.heat(patches, class_index)
    yield Finished(
        PatchView(box, full, seen, found.heat[0], found.probabilities[0], int(found.classes[0]), found.layer)
    )


def as_seen(patches: npt.NDArray[Any], card: "ModelCard") -> Rgb:
    """Return the first of ``(N, Y, X, 3) uint8`` patches at the size of the network's input."""
    import torch

    edge = patches.shape[1]
    pixels = torch.from_numpy(np.ascontiguousarray(patches[:1])).permute(0, 3, 1, 2)
    resized = resize_like_pil(pixels, input_shape(card, (edge, edge)))
    return np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())
