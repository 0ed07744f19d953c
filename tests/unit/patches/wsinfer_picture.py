"""A picture on which WSInfer's own code was run once, to hold ours to it."""

import numpy as np
from scipy import ndimage


def picture() -> np.ndarray:
    """Return ``(300, 260, 3) uint8``: coloured blobs with holes on grey glass."""
    rng = np.random.default_rng(7)
    blobs = ndimage.gaussian_filter(rng.normal(size=(300, 260)), 5)
    colour = np.clip(blobs / blobs.std() - 0.2, 0, 1)
    rgb = np.full((300, 260, 3), 235.0) + rng.integers(-2, 3, (300, 260, 3))
    rgb[..., 1] -= np.rint(40 * colour)
    return rgb.clip(0, 255).astype(np.uint8)


def centres(scale: float) -> np.ndarray:
    """Return ``(N, 2)`` integer points ``x, y`` over the picture scaled up."""
    xs, ys = np.arange(8, 260 * scale, 16), np.arange(8, 300 * scale, 16)
    return np.stack(np.meshgrid(xs, ys, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.int64)
