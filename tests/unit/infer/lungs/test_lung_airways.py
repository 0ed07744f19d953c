import numpy as np
import pytest

from napari_medpatch.infer.lungs.airways import find_airways
from napari_medpatch.steps import finish

EDGE = 2.0


def neck(leak: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """A windpipe that forks into two bronchi, each ending in a block of lung; returns HU and the windpipe."""
    hu = np.full((70, 60, 80), 40, np.float32)
    z, y, x = np.meshgrid(*(np.arange(n) for n in hu.shape), indexing="ij")
    pipe = (np.hypot(y - 30, x - 40) < 4) & (z > 30)
    for side in (-1, 1):
        middle = 40 + side * (30 - z) * 0.8
        pipe |= (np.hypot(y - 30, x - middle) < 3) & (z <= 30) & (z > 14)
    lung = (z < 40) & (np.abs(np.abs(x - 40) - 27) < 11) & (np.abs(y - 30) < 20)
    hu[lung] = -860
    hu[pipe] = -985 if not leak else -850
    return hu + np.random.default_rng(0).normal(0, 8, hu.shape).astype(np.float32), pipe


def ran(hu: np.ndarray) -> np.ndarray:
    return finish(find_airways(hu, hu < -400, EDGE))


def test_windpipe_and_main_bronchi_are_followed() -> None:
    hu, pipe = neck()
    found = ran(hu)
    z = np.arange(70)[:, None, None]
    assert found[pipe & (z > 24)].mean() > 0.97
    assert found[(hu < -800) & ~pipe].mean() < 0.12


@pytest.mark.parametrize("upside", [False, True])
def test_without_a_windpipe_nothing_is_taken(upside: bool) -> None:
    hu = neck()[0][:14]
    # A row of bubbles of bowel below the lungs is no windpipe.
    if upside:
        hu = np.full((60, 60, 80), 40, np.float32)
        hu[35:, 10:50, 10:70] = -860
        hu[2:20, 28:33, 38:43] = -990
    assert not ran(hu).any()


def test_a_windpipe_as_dense_as_lung_does_not_take_the_lung_along() -> None:
    hu, pipe = neck(leak=True)
    found = ran(hu)
    assert found[(hu < -800) & ~pipe].mean() < 0.12
    assert found[pipe & (np.arange(70)[:, None, None] > 45)].mean() > 0.9
