"""Small images with truth, and generators run to their end."""

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pytest

from napari_medpatch import steps
from napari_medpatch.io.array_source import ArraySource


@pytest.fixture
def finish() -> Callable[[Generator[Any, None, Any]], Any]:
    """Run a generator and return what it returns."""
    return steps.finish


@pytest.fixture
def phantom() -> tuple[np.ndarray, np.ndarray]:
    """Return HU ``(24, 40, 40)`` and its mask: a dark rod, class 1, and a bright one, class 2, that wander."""
    z, y, x = np.indices((24, 40, 40))
    shift = 4 * np.sin(z / 6)
    mask = np.zeros(z.shape, np.uint8)
    mask[(y - 20) ** 2 + (x - 11 - shift) ** 2 < 36] = 1
    mask[(y - 20) ** 2 + (x - 28 - shift) ** 2 < 25] = 2
    noise = np.random.default_rng(0).normal(0, 20, z.shape)
    return (np.choose(mask, [0, -800, 300]) + noise).astype(np.int16), mask


@pytest.fixture
def volume(phantom) -> ArraySource:
    return ArraySource(phantom[0], "volume", (2.0, 2.0, 2.0))


@pytest.fixture
def photo() -> tuple[ArraySource, np.ndarray]:
    """Return a photograph ``(96, 96)`` of dark blobs and their mask."""
    generator = np.random.default_rng(1)
    y, x = np.indices((96, 96))
    mask = ((y % 32 - 16) ** 2 + (x % 32 - 16) ** 2 < 64).astype(np.uint8)
    rgb = np.where(mask[..., None], (90, 40, 60), (200, 170, 190)) + generator.normal(0, 8, (96, 96, 3))
    return ArraySource(rgb.clip(0, 255).astype(np.uint8), "photo"), mask
