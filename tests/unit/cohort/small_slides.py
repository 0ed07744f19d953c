"""Small slides on disk, quickly written."""

from pathlib import Path

import numpy as np
import tifffile


def write_slide(path: Path, radius: int = 90, seed: int = 0) -> Path:
    """Write a tiled TIFF of 0.5 µm pixels: a stained disc on glass."""
    rng = np.random.default_rng(seed)
    size = 2 * radius + 200
    y, x = np.mgrid[:size, :size] - size / 2
    disc = (y**2 + x**2 < radius**2)[..., None]
    stained = np.array([150, 70, 150]) + 60 * rng.random((size, size, 1))
    pixels = (np.where(disc, stained, 240) + rng.normal(0, 2, (size, size, 3))).clip(0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(
        path, pixels, tile=(128, 128), photometric="rgb", resolution=(20000.0, 20000.0), resolutionunit="CENTIMETER"
    )
    return path
