"""Pictures for reports: slices with contours of truth and prediction, and where they differ."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.evaluate.backdrop import Backdrop, Pixels, Window, plane_of
from napari_medpatch.evaluate.masks import Bools, Mask

TRUE_COLOUR, PREDICTED_COLOUR, WRONG_COLOUR = (86, 180, 233), (230, 120, 0), (240, 228, 66)
"""Sky blue, orange and yellow of Okabe and Ito's palette, which colour-blind people tell apart (the orange darkened, to
stay apart from the yellow in greyscale). Blue is what only the truth has, orange what only the prediction has."""
_BOTH_COLOUR = (255, 255, 255)
_SIDE = 420
_THICK = 3
_COVER = 0.6


@dataclass(frozen=True, slots=True)
class Scene:
    """What pictures are made of.

    Parameters
    ----------
    predicted : ndarray
        ``(Z, Y, X)`` or ``(Y, X)`` uint8.
    true : ndarray or None
        The same, None for a mask by itself.
    keep : ndarray of bool or None
        Which pixels are compared.
    spacing : tuple of float
        Size of a pixel along each axis.
    backdrop : callable
        What lies behind.
    """

    predicted: Mask
    true: Mask | None
    keep: Bools | None
    spacing: tuple[float, ...]
    backdrop: Backdrop

    def masks(self, axis: int, index: int, window: Window) -> tuple[Mask, Mask]:
        """Return a view of prediction and truth; what is left out is 0."""
        pair = (self.predicted, self.predicted if self.true is None else self.true)
        found = [plane_of(each, axis, index)[window] for each in pair]
        if self.keep is not None:
            kept = plane_of(self.keep, axis, index)[window]
            found = [np.where(kept, each, np.uint8(0)) for each in found]
        return found[0], found[1]

    def contours(self, axis: int, index: int, window: Window) -> str:
        """Return a slice with the outlines of both masks, white where they coincide, as a data URI."""
        canvas, (predicted, true) = self._canvas(axis, index, window)
        lines = [_outlines(each) for each in (predicted, true)]
        if self.true is None:
            canvas[lines[0]] = PREDICTED_COLOUR
            return data_uri(canvas)
        canvas[lines[1]] = TRUE_COLOUR
        canvas[lines[0]] = PREDICTED_COLOUR
        canvas[lines[0] & lines[1]] = _BOTH_COLOUR
        return data_uri(canvas)

    def errors(self, axis: int, index: int, window: Window) -> str:
        """Return a slice with false positives, false negatives and wrong classes filled, as a data URI."""
        canvas, (predicted, true) = self._canvas(axis, index, window)
        wrong = (
            ((predicted > 0) & (true == 0), PREDICTED_COLOUR),
            ((predicted == 0) & (true > 0), TRUE_COLOUR),
            ((predicted > 0) & (true > 0) & (predicted != true), WRONG_COLOUR),
        )
        for where, colour in wrong:
            canvas[where] = (1 - _COVER) * canvas[where] + _COVER * np.asarray(colour)
        return data_uri(canvas)

    def _canvas(self, axis: int, index: int, window: Window) -> tuple[npt.NDArray[np.float32], tuple[Mask, Mask]]:
        """Return background and masks of a view, enlarged so that a millimetre is as long both ways."""
        sides = [size for number, size in enumerate(self.spacing) if len(self.spacing) == 2 or number != axis]
        shape = [part.stop - part.start for part in window]
        extent = [n * size for n, size in zip(shape, sides, strict=True)]
        size = tuple(max(1, round(_SIDE * length / max(extent))) for length in extent)
        behind = _resized(self.backdrop(axis, index, window), size, smooth=True)
        behind = np.repeat(behind[..., None], 3, axis=2) if behind.ndim == 2 else behind
        predicted, true = (_resized(each, size, smooth=False) for each in self.masks(axis, index, window))
        # Slices go up, rows of a picture go down: the head belongs at the top of coronal and sagittal views.
        up = slice(None, None, -1 if len(self.spacing) == 3 and axis else 1)
        return behind[up].astype(np.float32), (predicted[up], true[up])


def data_uri(picture: npt.NDArray[np.float32]) -> str:
    """Return a picture as a PNG that HTML may hold."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _resized(array: Pixels, size: Sequence[int], *, smooth: bool) -> Pixels:
    from PIL import Image

    how = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(np.ascontiguousarray(array)).resize((size[1], size[0]), how))


def _outlines(mask: Mask) -> Bools:
    """Return the rim of each class, inside it."""
    from scipy.ndimage import maximum_filter, minimum_filter

    width = 2 * _THICK - 1
    edge: Bools = minimum_filter(mask, width) != maximum_filter(mask, width)
    return edge & (mask > 0)
