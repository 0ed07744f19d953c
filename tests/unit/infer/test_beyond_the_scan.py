"""A scan that is continued by its outermost voxels gives the mask of a larger one, for the scan itself."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unet_bundles import HU, random_unet
from volumes_of_noise import noise, sweep_in_slabs

from napari_medpatch import resolve_model
from napari_medpatch.events import BlockSegmented, run
from napari_medpatch.geometry import Box
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.infer.segment_plan import plan_segmentation
from napari_medpatch.infer.working_grid import AxisMap
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.samples import make_thorax

MM = {"spacing": (1.0, 1.0, 1.0), "spacing_unit": "mm"}
BEYOND = HU | {"beyond": {"margin_mm": [0, 8, 8], "least_mm": 24}}


@given(st.integers(1, 60), st.floats(0.2, 9), st.integers(0, 5), st.integers(1, 80))
def test_a_longer_grid_covers_the_image_in_its_middle(source: int, step: float, margin: int, least: int) -> None:
    axis = AxisMap.centred(source, step, margin=margin, least=least)
    plain = AxisMap.centred(source, step)
    assert axis.working == max(plain.working + 2 * margin, least)
    middle = axis.origin + step * (axis.working - 1) / 2
    assert middle == pytest.approx((source - 1) / 2)
    covered = [axis.first_source(row) for row in range(axis.working + 1)]
    assert covered == sorted(covered)
    assert (covered[0], covered[-1]) == (0, source)


def test_what_lies_beyond_repeats_the_edge(tmp_path: Path) -> None:
    source = noise((5, 30, 28))
    plan = plan_segmentation(source, random_unet(tmp_path / "net", **MM, intensity=BEYOND).card)
    list(plan.image.prepare())
    assert plan.tiling.shape == (24, 46, 44)
    seen = plan.image.block(Box.whole(plan.tiling.shape))[0]
    assert (seen[:9] == seen[9]).all()
    assert (seen[:, :8] == seen[:, 8:9]).all()
    assert (seen[:, :, -8:] == seen[:, :, -9:-8]).all()


def test_the_mask_is_that_of_the_padded_volume(tmp_path: Path) -> None:
    plain, beyond = random_unet(tmp_path / "a", **MM), random_unet(tmp_path / "b", **MM, intensity=BEYOND)
    source = noise((6, 30, 28))
    padded = ArraySource(np.pad(source.data, [(9, 9), (8, 8), (8, 8)], mode="edge"), "volume", (1.0,) * 3)
    expected = run(segment(padded, plain)).mask[9:-9, 8:-8, 8:-8]
    found = run(segment(source, beyond)).mask
    assert 0.02 < found.mean() < 0.98
    assert np.array_equal(found, expected)
    assert not np.array_equal(found, run(segment(source, plain)).mask)


@pytest.mark.parametrize(("shape", "spacing"), [((45, 33, 27), (1.0, 1.0, 1.0)), ((3, 40, 37), (3.0, 0.8, 0.9))])
def test_however_it_is_cut_every_voxel_is_decided_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], spacing: tuple[float, ...]
) -> None:
    bundle, source = random_unet(tmp_path / "net", **MM, intensity=BEYOND), noise(shape, spacing)
    whole = run(segment(source, bundle))
    blocks = run(segment(source, bundle, SegmentSettings(block_voxels=20_000)))
    sweep_in_slabs(monkeypatch, 6000)
    events = list(segment(source, bundle))
    assert events[-1].result.provenance["pass"] == "sweep"
    assert np.array_equal(whole.mask, blocks.mask)
    assert np.array_equal(whole.mask, events[-1].result.mask)
    times = np.zeros(shape, int)
    for event in events:
        if isinstance(event, BlockSegmented):
            times[event.box.slices] += 1
    assert (times == 1).all()


def test_independent_slices_have_nothing_beyond(tmp_path: Path) -> None:
    flat = {"spacing": (1.0, 1.0), "spacing_unit": "mm", "intensity": BEYOND}
    bundle = random_unet(tmp_path / "net", "segment-2d", **flat)
    assert plan_segmentation(noise((5, 30, 28)), bundle.card).tiling.shape == (5, 46, 44)


@pytest.mark.parametrize("name", ["lungs-ct-unet3d", "lungs-threshold"])
def test_one_slice_of_a_chest_is_segmented(name: str) -> None:
    thorax = make_thorax((48, 88, 112), spacing=(5.0, 4.0, 4.0), seed=1)
    slices = slice(24, 25)
    found = run(segment(ArraySource(thorax.hu[slices], "volume", (5.0, 4.0, 4.0)), resolve_model(name))).mask > 0
    lungs = thorax.lungs[slices]
    assert 2 * (found & lungs).sum() / (found.sum() + lungs.sum()) > 0.95
