"""YCbCr to RGB in whole numbers."""

import numpy as np
import pytest

from napari_medpatch.io.ycbcr import ycbcr_to_rgb


@pytest.mark.parametrize(
    ("ycbcr", "rgb"),
    [
        ((0, 128, 128), (0, 0, 0)),
        ((255, 128, 128), (255, 255, 255)),
        ((76, 85, 255), (254, 0, 0)),
        ((29, 255, 107), (0, 0, 254)),
    ],
)
def test_known_colours(ycbcr: tuple[int, ...], rgb: tuple[int, ...]) -> None:
    assert ycbcr_to_rgb(np.array([[ycbcr]], np.uint8))[0, 0].tolist() == list(rgb)


def test_every_colour_is_within_one_of_the_exact_formula() -> None:
    y, cb, cr = np.meshgrid(np.arange(0, 256, 15), np.arange(256), np.arange(256), indexing="ij")
    pixels = np.stack([y, cb, cr], -1).astype(np.uint8).reshape(-1, 256, 3)
    luma, blue, red = (pixels[..., i].astype(float) - (0, 128, 128)[i] for i in range(3))
    exact = np.stack([luma + 1.402 * red, luma - 0.34414 * blue - 0.71414 * red, luma + 1.772 * blue], -1)
    result = ycbcr_to_rgb(pixels)
    assert result.flags.c_contiguous
    assert abs(result - np.clip(exact, 0, 255)).max() <= 0.51
