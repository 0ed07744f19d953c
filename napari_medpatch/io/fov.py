"""Where a fundus photograph shows the eye: inside its dark border.

The border is what is dark *and* connected to the edge of the picture; so dark lesions inside do not count, and
JPEG noise in the border is below the threshold, which lies a little above what the darkest corners show. The
outline is the convex hull of the bright piece, cut by the circle that fits it: the hull takes in shadows at the
rim, the circle takes off the notch and the letters that cameras draw. Light scattered into the border makes the
first circle up to 5 % too wide; a second one, fitted at a quarter of the eye's brightness, corrects it.
"""

import numpy as np
import numpy.typing as npt

from napari_medpatch.io.source import AnyArray

WORKING_EDGE = 512
_LEAST_BORDER = 0.004
_LEAST_FIELD = 0.15
_DARKEST_BORDER = 60
Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]
Circle = tuple[float, float, float]


def field_of_view(image: AnyArray) -> Mask:
    """Find the field of view of a fundus photograph.

    Parameters
    ----------
    image : ndarray
        ``(Y, X, 3) uint8``.

    Returns
    -------
    ndarray
        ``(Y, X) bool``; all True when there is no dark border (a cropped or another kind of picture).
    """
    height, width = image.shape[:2]
    whole = np.ones((height, width), dtype=np.bool_)
    if min(height, width) < 32:
        return whole
    step = max(1, -(-max(height, width) // WORKING_EDGE))
    grey = _brightness(image, step)
    field = _bright_piece(grey, 0.08)
    if field is None:
        return whole
    hull = _hull(_outline(field))
    circle = _without_scatter(grey, fit_circle(hull, field.shape))
    return _draw(hull, circle, (height, width), step)


def _brightness(image: AnyArray, step: int) -> npt.NDArray[np.float32]:
    """Return the brightest channel, averaged over blocks and smoothed against noise and thin letters."""
    from scipy.ndimage import median_filter

    y, x = (n // step * step for n in image.shape[:2])
    brightest = image[:y, :x].max(axis=2)
    blocks = brightest.reshape(y // step, step, x // step, step).mean(axis=(1, 3), dtype=np.float32)
    smooth: npt.NDArray[np.float32] = median_filter(blocks, size=5, mode="nearest")
    return smooth


def _without_scatter(grey: npt.NDArray[np.float32], circle: Circle | None) -> Circle | None:
    """Return the circle at a higher threshold if it is nearly the same one, a little smaller."""
    field = _bright_piece(grey, 0.25)
    if circle is None or field is None:
        return circle
    tighter = fit_circle(_hull(_outline(field)), field.shape)
    if tighter is None or not 0.94 * circle[2] < tighter[2] < circle[2]:
        return circle
    moved = float(np.hypot(tighter[0] - circle[0], tighter[1] - circle[1]))
    return tighter if moved <= 0.04 * circle[2] else circle


def _bright_piece(grey: npt.NDArray[np.float32], share: float) -> Mask | None:
    """Return the piece that is not border, None if there is no border or no piece.

    Parameters
    ----------
    grey : ndarray
        Brightness.
    share : float
        The least threshold, from the border's level (0) to the eye's (1).
    """
    from scipy.ndimage import binary_fill_holes, binary_opening, label

    threshold = _threshold(grey, share)
    if threshold is None:
        return None
    pieces, count = label(grey <= threshold)
    rim = np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])
    touching = np.zeros(count + 1, dtype=np.bool_)
    touching[rim] = True
    touching[0] = False
    border = touching[pieces]
    if border.mean() < _LEAST_BORDER:
        return None
    rest = binary_opening(~border, iterations=2)
    pieces, count = label(rest)
    if not count:
        return None
    largest = 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    field: Mask = binary_fill_holes(pieces == largest)
    return field if field.mean() >= _LEAST_FIELD else None


def _threshold(grey: npt.NDArray[np.float32], share: float) -> float | None:
    """Return the brightness that divides border from eye, None if the corners are not dark.

    A little above the two darkest corners; their noise is measured, and the eye's own brightness raises
    the limit, because scattered light lifts the border of bright pictures.
    """
    n = max(3, min(grey.shape) // 40)
    corners = [grey[:n, :n], grey[:n, -n:], grey[-n:, :n], grey[-n:, -n:]]
    darkest = sorted(corners, key=lambda c: float(np.median(c)))[:2]
    levels = np.concatenate([c.ravel() for c in darkest])
    base, bright = float(np.median(levels)), float(np.percentile(grey, 90))
    noise = float(np.percentile(levels, 95)) - base
    threshold = base + max(4.0, 3 * noise, share * (bright - base))
    if base > _DARKEST_BORDER or bright - base < 20 or threshold > base + 0.5 * (bright - base):
        return None
    return threshold


def _outline(field: Mask) -> Points:
    """Return the first and last pixel of each row as ``(N, 2)`` points ``y, x``, on pixel edges."""
    rows = np.flatnonzero(field.any(axis=1))
    first = field[rows].argmax(axis=1)
    last = field.shape[1] - field[rows, ::-1].argmax(axis=1)
    top, bottom = rows.astype(float), rows + 1.0
    return np.concatenate([np.stack([y, x.astype(float)], axis=1) for y in (top, bottom) for x in (first, last)])


def _hull(points: Points) -> Points:
    from scipy.spatial import ConvexHull

    corners: Points = points[ConvexHull(points).vertices]
    return corners


def fit_circle(hull: Points, shape: tuple[int, ...]) -> Circle | None:
    """Fit a circle to the corners of a hull that do not lie on the edge of the picture.

    Parameters
    ----------
    hull : ndarray
        (N, 2), ``y, x``.
    shape : tuple of int
        Of the picture, to leave out corners where the circle is cut off.

    Returns
    -------
    tuple of float or None
        Centre ``y, x`` and radius; None if the outline is not round.
    """
    inner = ((hull > 2) & (hull < np.asarray(shape) - 2)).all(axis=1)
    points = hull[inner]
    for _ in range(6):
        if len(points) < 8:
            return None
        y, x, radius = _least_squares_circle(points)
        off = np.abs(np.hypot(points[:, 0] - y, points[:, 1] - x) - radius)
        good = off <= max(1.5, 0.01 * radius)
        if good.all():
            break
        points = points[off <= max(1.5, 0.01 * radius, float(np.percentile(off, 80)))]
    round_share = len(points) / max(1, int(inner.sum()))
    if round_share < 0.5 or not 0.25 * min(shape) < radius < max(shape):
        return None
    return y, x, radius


def _least_squares_circle(points: Points) -> Circle:
    """Kåsa's algebraic fit: y² + x² = 2 a y + 2 b x + c."""
    system = np.column_stack([2 * points, np.ones(len(points))])
    (a, b, c), *_ = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)
    return float(a), float(b), float(np.sqrt(max(c + a * a + b * b, 0.0)))


def _draw(hull: Points, circle: Circle | None, shape: tuple[int, int], step: int) -> Mask:
    """Fill the hull at full resolution and cut it by the circle."""
    from PIL import Image, ImageDraw

    canvas = Image.new("1", (shape[1], shape[0]))
    corners = [(float(x * step), float(y * step)) for y, x in hull]
    ImageDraw.Draw(canvas).polygon(corners, fill=1)
    mask = np.array(canvas, dtype=np.bool_)
    if circle is not None:
        y, x, radius = (v * step for v in circle)
        rows, columns = np.ogrid[: shape[0], : shape[1]]
        mask &= (rows + 0.5 - y) ** 2 + (columns + 0.5 - x) ** 2 <= radius**2
    return mask
