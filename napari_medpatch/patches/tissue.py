"""Where it is worth looking: tissue on slides, the field of view on photographs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.io.source import Source
from napari_medpatch.patches.disc import BoolArray
from napari_medpatch.patches.outline import inside_outline, look_up
from napari_medpatch.patches.overview import Overview, read_overview, working_downsample
from napari_medpatch.patches.stain import Cleaning, stained_steps


@dataclass(frozen=True, slots=True)
class TissueMask:
    """A coarse mask over level 0.

    Parameters
    ----------
    mask : ndarray
        ``(Y, X) bool``.
    downsample : tuple of float
        Level-0 pixels per pixel of the mask, ``(y, x)``; exact, never rounded.
    outlined : bool
        A point is on tissue if it is inside the polygons through the pixels at the mask's border, as
        WSInfer has it (OpenCV's contours, which it scales): half a pixel narrower, half a pixel shifted.
    """

    mask: BoolArray
    downsample: tuple[float, float]
    outlined: bool = False

    def contains(self, points: npt.ArrayLike) -> BoolArray:
        """Return which points lie on tissue; points outside the image do not.

        Points and result are those of :meth:`napari_medpatch.patches.roi.Region.contains`.
        """
        place = np.asarray(points, np.float64).reshape(-1, 2) / self.downsample
        return inside_outline(self.mask, place) if self.outlined else look_up(self.mask, np.floor(place))

    def fraction(self, boxes: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the share of each box that is tissue, partly covered mask pixels counted in part.

        Parameters
        ----------
        boxes : array-like
            ``(N, 4)``, ``y0, x0, y1, x1`` in level-0 pixels. What lies outside the image is not tissue.

        Returns
        -------
        ndarray
            ``(N,) float64``, 0…1; 0 for an empty box.
        """
        corners = np.asarray(boxes, np.float64).reshape(-1, 4) / (*self.downsample, *self.downsample)
        y0, x0, y1, x1 = corners.T
        table = np.zeros(tuple(n + 1 for n in self.mask.shape))
        table[1:, 1:] = self.mask.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
        covered = _area(table, y1, x1) - _area(table, y0, x1) - _area(table, y1, x0) + _area(table, y0, x0)
        whole = (y1 - y0) * (x1 - x0)
        share: npt.NDArray[np.float64] = np.zeros_like(covered)
        np.divide(covered, whole, out=share, where=whole > 0)
        return share.clip(0, 1)


def tissue_mask(source: Source) -> TissueMask:
    """Find tissue, or the field of view of a photograph.

    Parameters
    ----------
    source : Source
        A slide or a photograph.

    Returns
    -------
    TissueMask
        All False where nothing was found.

    Raises
    ------
    DamagedFileError
        If the file cannot be read at low resolution.
    """
    for step in tissue_steps(source):
        if isinstance(step, TissueMask):
            return step
    raise AssertionError("tissue_steps ends with a mask")


def tissue_steps(source: Source) -> Iterator[float | TissueMask]:
    """Do as :func:`tissue_mask`, yielding the finished fraction after each block and the mask at last."""
    if source.kind == "photo":
        yield _field_of_view(source)
        return
    for step in read_overview(source, working_downsample(source)):
        if isinstance(step, Overview):
            for mask in stained_steps(step.rgb, _cleaning(source, step)):
                yield 1.0 if mask is None else TissueMask(mask, step.downsample)
        else:
            yield step


def _field_of_view(source: Source) -> TissueMask:
    find = getattr(source, "fov_mask", None)
    shape = source.levels[0].shape
    mask = np.asarray(find(), bool) if find is not None else np.ones((1, 1), bool)
    return TissueMask(mask, (shape[0] / mask.shape[0], shape[1] / mask.shape[1]))


def _cleaning(source: Source, overview: Overview) -> Cleaning:
    """Express 100² µm² specks, WSInfer's 190² µm² holes and 12 µm gaps in pixels, or in shares of the image."""
    height, width = overview.rgb.shape[:2]
    if source.spacing is None:
        longest = max(height, width)
        thin = max(1, round(longest / 400))
        return Cleaning((longest / 100) ** 2, (longest / 50) ** 2, thin, thin)
    pixel_um2 = float(np.prod(source.spacing.values) * np.prod(overview.downsample))
    # A small picture of a small piece must not lose it as a speck.
    speck = min(100.0**2 / pixel_um2, 0.01 * height * width)
    thin = round(12.0 / pixel_um2**0.5)
    return Cleaning(speck, 190.0**2 / pixel_um2, min(8, thin), min(8, max(1, thin)))


def _area(
    table: npt.NDArray[np.float64], y: npt.NDArray[np.float64], x: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Interpolate the table of summed areas, which is exact because a pixel's tissue is uniform."""
    y, x = y.clip(0, table.shape[0] - 1), x.clip(0, table.shape[1] - 1)
    row = np.minimum(y.astype(np.int64), table.shape[0] - 2)
    column = np.minimum(x.astype(np.int64), table.shape[1] - 2)
    down, right = y - row, x - column
    top = table[row, column] * (1 - right) + table[row, column + 1] * right
    bottom = table[row + 1, column] * (1 - right) + table[row + 1, column + 1] * right
    area: npt.NDArray[np.float64] = top * (1 - down) + bottom * down
    return area
