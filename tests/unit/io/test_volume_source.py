import numpy as np
import pytest

from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.volume_source import as_volume


def test_a_volume_has_values_and_the_grid_of_its_file() -> None:
    values = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    volume = as_volume(ArraySource(values, "volume", spacing=(2.0, 1.0, 1.0)))
    assert np.array_equal(volume.data, values)
    assert volume.grid.canonical_shape == (2, 3, 4)
    assert volume.to_original(values).shape == volume.grid.shape


def test_a_photograph_is_no_volume() -> None:
    with pytest.raises(TypeError, match="is a photo"):
        as_volume(ArraySource(np.zeros((4, 5, 3), np.uint8), "photo"))
