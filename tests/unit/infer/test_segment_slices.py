from pathlib import Path

import numpy as np
import pytest
import torch
from unet_bundles import darkness, random_unet

from napari_medpatch.errors import GeometryError
from napari_medpatch.events import BlockSegmented, run
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.preprocess import normalise_volume


def volume(shape: tuple[int, ...], spacing: tuple[float, ...] | None = (4.0, 1.0, 1.0)) -> ArraySource:
    rng = np.random.default_rng(5)
    return ArraySource(rng.integers(-1000, 400, shape).astype(np.int16), "volume", spacing)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_each_slice_is_segmented_by_itself(tmp_path: Path, axis: int) -> None:
    bundle = random_unet(tmp_path / "net", "segment-2d", levels=2)
    source = volume((12, 16, 20))
    result = run(segment(source, bundle, SegmentSettings(axis=axis)))
    model = bundle.load()
    pixels = normalise_volume(source.data, bundle.card)
    for index in range(source.data.shape[axis]):
        plane = torch.from_numpy(np.take(pixels, index, axis))[None, None]
        with torch.no_grad():
            # The canvas is rounded up to a multiple of two, filled with air.
            padded = torch.nn.functional.pad(plane, (0, plane.shape[3] % 2, 0, plane.shape[2] % 2))
            expected = model(padded)[0].argmax(0)[: plane.shape[2], : plane.shape[3]]
        assert np.array_equal(np.take(result.mask, index, axis), expected.numpy())
    assert result.provenance["slice_axis"] == axis


def test_axial_slices_are_the_default_and_blocks_are_runs_of_slices(tmp_path: Path) -> None:
    bundle = random_unet(tmp_path / "net", "segment-2d", levels=2)
    source = volume((12, 16, 20))
    events = list(segment(source, bundle, SegmentSettings(block_voxels=16 * 20 * 3)))
    boxes = [event.box for event in events if isinstance(event, BlockSegmented)]
    assert [(box.start, box.stop) for box in boxes] == [((z, 0, 0), (z + 3, 16, 20)) for z in (0, 3, 6, 9)]
    assert np.array_equal(events[-1].result.mask, run(segment(source, bundle, SegmentSettings(axis=0))).mask)


def test_only_the_plane_is_resampled(tmp_path: Path) -> None:
    shape, spacing = (5, 60, 40), (7.0, 1.0, 1.5)
    truth = np.zeros(shape, bool)
    truth[1, 20:40, 10:30] = truth[3, 10:50, 8:32] = True
    source = ArraySource(np.where(truth, -900, 50).astype(np.int16), "volume", spacing)
    bundle = darkness(tmp_path / "dark", below=0.4, task="segment-2d", spacing=(2.0, 2.0), spacing_unit="mm")
    result = run(segment(source, bundle))
    assert result.provenance["working_shape"] == [5, 30, 30]
    found = result.mask == 1
    assert not found[[0, 2, 4]].any()
    assert (found & truth).sum() / (found | truth).sum() > 0.9


def test_an_axis_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    bundle = darkness(tmp_path / "dark", below=0.4, task="segment-2d")
    with pytest.raises(GeometryError, match="not 3"):
        run(segment(volume((4, 4, 4)), bundle, SegmentSettings(axis=3)))
